#!/usr/bin/env bash
# The clock of the system is set back by a day, and forward, in the middle of a run: times are those of the monotonic clock.
#   clock.sh LMTRAIN
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

if ! command -v faketime > out.log; then
  row "the system's clock set back and forward" 1 0 "steps and energy by the monotonic clock" "not tried: faketime is not installed"
  exit 0
fi
"$LMTRAIN" config.yaml "${steps[@]}" run.name=whole > out.log 2>&1 || fail "$(tail -3 out.log)"
trace whole 4 > whole.trace
faketime -m -f "-1d" true > out.log 2>&1 || fail "$(tail -3 out.log)"
for shift in -1d +1d; do
  rm -rf runs/moved
  echo "+0" > clock
  FAKETIME_TIMESTAMP_FILE=$work/clock FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=1 \
    faketime -m -f "+0" env -u FAKETIME FAKETIME_TIMESTAMP_FILE="$work/clock" "$LMTRAIN" config.yaml "${steps[@]}" run.name=moved train.steps=400 checkpoint.interval=100 > out.log 2>&1 &
  job=$!
  until_true grep -qs '"step":50,' runs/moved/metrics.jsonl
  echo "$shift" > clock
  wait "$job" || fail "clock $shift: $(tail -3 out.log)"
  awk -F'"step_seconds":' 'NF > 1 { split($2, s, ","); if (s[1] < 0 || s[1] > 60) exit 1 }' runs/moved/metrics.jsonl || fail "clock $shift: a step of impossible length"
  # The wall clock in the records has jumped: the fault was there.
  awk -F'"time":' 'NF > 1 { split($2, t, /[,}]/); if (before && (t[1] - before > 1000 || before - t[1] > 1000)) jumps = 1; before = t[1] }
    END { exit !jumps }' runs/moved/metrics.jsonl || fail "clock $shift: the clock has not moved"
done
row "the system's clock set back by a day, and forward" 1 2 "steps and energy by the monotonic clock"

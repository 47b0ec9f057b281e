#!/usr/bin/env bash
# Defect: a rank that hangs and holds the whole job for ever. The others end it with 76 and a line that says in which operation
# they waited, at once: what they have queued beside it does not wait as long again.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

mpirun -n 2 "$LMTRAIN" config.yaml run.name=hang train.steps=100000 parallel.timeout_seconds=5 parallel.bucket_mib=0.001 checkpoint.interval=0 \
  > hang.log 2>&1 &
job=$!
for ((i = 0; i < 600; ++i)); do
  grep -q '"step":3,' runs/hang/metrics.jsonl 2>/dev/null && break
  sleep 0.05
done
rank=$(pgrep -n -P "$job") || fail "no rank was left to stop"
kill -STOP "$rank"
SECONDS=0
code=0
wait "$job" || code=$?
kill -KILL "$rank" 2> kill.log || true  # clears up; mpirun may have ended the stopped rank already
[ "$code" = 76 ] || fail "exit code $code, expected 76: $(tail -5 hang.log)"
grep -q "rank [01]: step [0-9]*: waited more than 5 s in [a-z_]* [0-9]* on axis [a-z_]*" hang.log || fail "the hang is not named: $(tail -5 hang.log)"
[ "$SECONDS" -lt 10 ] || fail "the job ended $SECONDS s after the rank was stopped"

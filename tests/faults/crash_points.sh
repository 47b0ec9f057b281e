#!/usr/bin/env bash
# Kills one rank before each call by which a run of two saves changes its checkpoints: making, writing, syncing, renaming and
# removing. The same command must then end with the numbers of a run that was never killed.
#   crash_points.sh LMTRAIN FAULTY_IO RANKS STRIDE    every STRIDE-th call, on each rank
LMTRAIN=$1
library=$2
count=$3
stride=$4
. "$(dirname "$0")/lib.sh"

run() { ranks "$count" config.yaml "${steps[@]}" parallel.threads=1 parallel.zero=1 "$@"; }

# With faulty_io looking on: faulty RANK DO AT SETTING...
faulty() {
  local rank=$1 what=$2 at=$3 name=$4
  shift 4
  LD_PRELOAD=$library FAULTY_IO_BELOW=$work/runs/$name/checkpoints FAULTY_IO_RANK=$rank FAULTY_IO_DO=$what FAULTY_IO_AT=$at \
    FAULTY_IO_COUNT=$work/count run run.name="$name" "$@"
}

faulty 0 count 0 whole > out.log 2>&1 || fail "$(tail -3 out.log)"
trace whole 4 > whole.trace
tried=0
slowest=0
for ((rank = 0; rank < count; ++rank)); do
  calls=$(cat "count.$rank")
  [ "$calls" -gt 10 ] || fail "rank $rank was seen making $calls calls"
  for ((at = 1; at <= calls; at += stride)); do
    rm -rf runs/killed
    if faulty "$rank" kill "$at" killed > out.log 2>&1; then fail "rank $rank was not killed at call $at of $calls"; fi
    begin=$(date +%s%N)
    run run.name=killed > again.log 2>&1 || fail "rank $rank killed at call $at: $(tail -3 again.log)"
    took=$((($(date +%s%N) - begin) / 1000000))
    [ "$took" -gt "$slowest" ] && slowest=$took
    trace killed 4 | cmp -s - whole.trace || fail "rank $rank killed at call $at of $calls: other numbers"
    tried=$((tried + 1))
  done
done
row "kill -9 before a call that changes checkpoints, on each rank" "$count" "$tried" "A: old or new checkpoint, equal to the bit"

#!/usr/bin/env bash
# Disks that are full, fail or lie in a save: the save is abandoned on all ranks and training goes on to the same numbers; after
# three in a row the run ends with 74.
#   disk.sh LMTRAIN FAULTY_IO RANKS
LMTRAIN=$1
library=$2
count=$3
. "$(dirname "$0")/lib.sh"

run() { ranks "$count" config.yaml "${steps[@]}" parallel.threads=1 parallel.zero=1 "$@"; }
run run.name=whole > out.log 2>&1 || fail "$(tail -3 out.log)"
trace whole 4 > whole.trace

# One failure on the last rank: try NAME DO CALLS AT
try() {
  local fault=$1 what=$2 calls=$3 at=$4
  rm -rf runs/faulty
  LD_PRELOAD=$library FAULTY_IO_BELOW=$work/runs/faulty/checkpoints FAULTY_IO_RANK=$((count - 1)) FAULTY_IO_DO=$what FAULTY_IO_AT=$at \
    FAULTY_IO_CALLS=$calls run run.name=faulty > out.log 2>&1 || fail "$fault: $(tail -3 out.log)"
  grep -q "warn" out.log || fail "$fault: nothing is said"
  grep -q '"save_failed":' runs/faulty/metrics.jsonl || fail "$fault: the metrics know of no failed save"
  grep -q "^| Saves that failed and were abandoned | 1 |" runs/faulty/report.md || fail "$fault: the report knows of no failed save"
  trace faulty 4 | cmp -s - whole.trace || fail "$fault: other numbers"
  row "$fault" "$count" 1 "C: save abandoned with a warning, equal to the bit"
}
try "no space (ENOSPC) at the first write of the first save" ENOSPC pwrite 1
try "no space when the file is reserved" ENOSPC fallocate 1
try "no quota (EDQUOT) in the middle of a save" EDQUOT pwrite 3
try "input/output error (EIO) at fsync" EIO fsync 1
try "a write that says it was done, and was not" lie pwrite 2
try "a write that changes a bit" flip pwrite 2

# A short write is gone on with.
rm -rf runs/faulty
LD_PRELOAD=$library FAULTY_IO_BELOW=$work/runs/faulty/checkpoints FAULTY_IO_DO=short FAULTY_IO_AT=1 FAULTY_IO_ONWARDS=1 \
  FAULTY_IO_CALLS=pwrite run run.name=faulty > out.log 2>&1 || fail "short writes: $(tail -3 out.log)"
trace faulty 4 | cmp -s - whole.trace || fail "short writes: other numbers"
row "every write writes half of what it should" "$count" 1 "the rest is written, equal to the bit"

# No save succeeds any more.
code=0
rm -rf runs/faulty
LD_PRELOAD=$library FAULTY_IO_BELOW=$work/runs/faulty/checkpoints FAULTY_IO_RANK=$((count - 1)) FAULTY_IO_DO=ENOSPC FAULTY_IO_AT=1 \
  FAULTY_IO_ONWARDS=1 FAULTY_IO_CALLS=pwrite run run.name=faulty > out.log 2>&1 || code=$?
[ "$code" = 74 ] || fail "a disk that stays full ends with $code"
run run.name=faulty > out.log 2>&1 || fail "after a full disk: $(tail -3 out.log)"
trace faulty 4 | cmp -s - whole.trace || fail "after a full disk: other numbers"
row "no space in all saves" "$count" 1 "C: 74 after three, then equal to the bit"

# A rank hangs, and then the file system does for the one that finds it: the reason is said before anything is recorded, and the job ends.
if [ "$count" -gt 1 ]; then
  code=0
  rm -rf runs/faulty
  LD_PRELOAD=$library FAULTY_IO_BELOW=$work/runs/faulty FAULTY_IO_RANK=0 FAULTY_IO_DO=hang FAULTY_IO_AT=1 FAULTY_IO_ONWARDS=1 \
    FAULTY_IO_WHEN=$work/hangs mpirun -n "$count" "$LMTRAIN" config.yaml run.name=faulty train.steps=100000 checkpoint.interval=0 \
    parallel.threads=1 parallel.timeout_seconds=3 > out.log 2>&1 &
  job=$!
  until_true grep -qs '"step":3,' runs/faulty/metrics.jsonl
  last=$(pgrep -P "$job" | tail -1)
  kill -STOP "$last"
  sleep 1
  touch hangs
  SECONDS=0
  until_true grep -q "rank 0: step [0-9]*: waited more than 3 s in" out.log
  [ "$SECONDS" -lt 8 ] || fail "a file system that hangs: the reason is said after $SECONDS s"
  wait "$job" || code=$?
  kill -KILL "$last" 2> kill.log || true  # clears up; mpirun may have ended it already
  [ "$code" = 76 ] || fail "a file system that hangs: exit code $code, expected 76: $(tail -5 out.log)"
  [ "$SECONDS" -lt 30 ] || fail "a file system that hangs: the job ended after $SECONDS s"
  row "a rank is stopped, and the file system hangs for the one that finds it" "$count" 1 "D 76: said at once, the job ends"
fi

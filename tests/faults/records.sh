#!/usr/bin/env bash
# A file system without locks, records that cannot be written, and records that are something else than files.
#   records.sh LMTRAIN FAULTY_IO
LMTRAIN=$1
library=$2
. "$(dirname "$0")/lib.sh"

run() { "$LMTRAIN" config.yaml "${steps[@]}" parallel.threads=1 "$@"; }
run run.name=whole > out.log 2>&1 || fail "$(tail -3 out.log)"
trace whole 4 > whole.trace

# Without locks: the text is prepared, one job has the folder, and the second is told so.
no_locks() { LD_PRELOAD=$library FAULTY_IO_NO_LOCKS=1 run "$@"; }
no_locks run.name=locks data.cache=elsewhere > out.log 2>&1 || fail "no locks: $(tail -3 out.log)"
grep -q "elsewhere: this file system has no locks" out.log || fail "no word of the cache without locks: $(cat out.log)"
trace locks 4 | cmp -s - whole.trace || fail "no locks: other numbers"
LD_PRELOAD=$library FAULTY_IO_NO_LOCKS=1 "$LMTRAIN" config.yaml run.name=held train.steps=100000 eval.interval=0 > held.log 2>&1 &
job=$!
until_true grep -qs '"step":3,' runs/held/metrics.jsonl
code=0
no_locks run.name=held > out.log 2>&1 || code=$?
kill -KILL "$job"
wait "$job" 2> kill.log || true
[ "$code" = 73 ] || fail "no locks: the second job ends with $code, not 73: $(tail -3 out.log)"
grep -q "a job on .* (process $job" out.log || fail "no locks: the holder is not named: $(tail -3 out.log)"
row "a file system without locks: two jobs in one folder, text prepared" 1 2 "B 73: the holder is named; the cache works"

# A disk that is full for the records alone.
for record in metrics.jsonl energy; do
  rm -rf runs/full
  LD_PRELOAD=$library FAULTY_IO_BELOW=$work/runs/full/$record FAULTY_IO_DO=ENOSPC FAULTY_IO_AT=2 FAULTY_IO_ONWARDS=1 FAULTY_IO_CALLS=write,pwrite \
    run run.name=full > out.log 2>&1 || fail "$record cannot be written: $(tail -3 out.log)"
  grep -q "warn" out.log || fail "$record cannot be written: nothing is said"
  "$LMTRAIN" checkpoint diff runs/whole runs/full > diff.log || fail "$record cannot be written: other weights: $(cat diff.log)"
done
row "no space for metrics or ledger" 1 2 "E: a warning, equal to the bit"

# A pipe in place of a record holds nothing up.
rm -rf runs/held runs/locks runs/full
for record in metrics.jsonl facts.json emissions.json config.yaml .lock ending.json; do
  cp -r runs/whole runs/pipe
  rm -f "runs/pipe/$record"
  mkfifo "runs/pipe/$record"
  timeout 20 "$LMTRAIN" runs runs > out.log 2>&1 || fail "$record is a pipe: runs ends with $?"
  code=0
  timeout 30 "$LMTRAIN" config.yaml "${steps[@]}" run.name=pipe train.steps=6 > out.log 2>&1 || code=$?
  [ "$code" != 124 ] || fail "$record is a pipe: the run hangs"
  [ "$code" = 0 ] || grep -q "error .*$record" out.log || fail "$record is a pipe: $(tail -3 out.log)"
  rm -rf runs/pipe
done
row "a pipe in place of a record" 1 6 "B: named, or replaced"

#!/usr/bin/env bash
# Defect: a rank that hangs, in training or before it or at its end, and holds the whole job for ever. The others end it with 76
# and a line that says in which operation they waited, at once: what they have queued beside it does not wait as long again.
# Nor do they crash while they end, because MPI still writes into memory that they have freed.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

# hangs RANK PATTERN: stops a rank of the job $job, whose time-out is 3 s, and expects the others to end it.
hangs() {
  local rank=$1 pattern=$2 code=0 pid
  pid=$(pgrep -P "$job" | sed -n "$((rank + 1))p")
  [ -n "$pid" ] || fail "no rank was left to stop"
  kill -STOP "$pid"
  SECONDS=0
  wait "$job" || code=$?
  kill -KILL "$pid" 2> kill.log || true  # clears up; mpirun may have ended the stopped rank already
  [ "$code" = 76 ] || fail "exit code $code, expected 76: $(tail -5 hang.log)"
  grep -q "$pattern" hang.log || fail "the hang is not named: $(tail -25 hang.log)"
  grep -qi "corrupted\|signal: aborted\|segmentation" hang.log && fail "a crash at the end: $(tail -20 hang.log)"
  [ "$SECONDS" -lt 8 ] || fail "the job ended $SECONDS s after the rank was stopped"
}

start() {
  rm -f hang.log
  mpirun -n 2 "$LMTRAIN" config.yaml parallel.timeout_seconds=3 "$@" > hang.log 2>&1 &
  job=$!
}

# In training, several times, since a crash needs an unlucky moment.
for i in 1 2 3; do
  start run.name="hang$i" train.steps=100000 parallel.bucket_mib=0.001 checkpoint.interval=0
  until_true grep -qs '"step":3,' "runs/hang$i/metrics.jsonl"
  hangs $((i % 2)) "rank [01]: step [0-9]*: waited more than 3 s in [a-z_]* [0-9]* on axis [a-z_]*"
done

# While rank 0 prepares the text, which may take longer than the time-out.
for ((i = 0; i < 250; ++i)); do cat text/corpus; done > text/more
start run.name=early tokenizer.vocab_size=4000 data.cache=cache2
until_true grep -q "training tokenizer" hang.log
hangs 0 "waited more than 3 s in broadcast"

# While rank 0 writes samples and the report: at the first moment after the last step.
rm text/more
start run.name=late train.steps=20
until_true grep -qs '"step":20,' runs/late/metrics.jsonl
rank=$(pgrep -P "$job" | head -1 || true)
if [ -n "$rank" ] && [ ! -e runs/late/summary.json ]; then hangs 0 "waited more than 3 s"; else wait "$job"; fi

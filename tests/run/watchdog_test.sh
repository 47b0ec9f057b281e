#!/usr/bin/env bash
# Defect: a rank that hangs is found after half an hour only, is not named, or holds the allocation; or a job that is suspended as a
# whole, a slow start or a slow save is taken for a hang.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

export OMPI_MCA_rmaps_base_oversubscribe=1
pid_of() { pgrep -P "$job" | sed -n "$(($1 + 1))p"; }
start() {
  mpirun -n 2 "$LMTRAIN" config.yaml parallel.hang_seconds=4 train.steps=100000 eval.interval=0 "$@" > out.log 2>&1 &
  job=$!
}

# A rank that is stopped, whichever it is, with the time-out of half an hour.
for rank in 1 0; do
  start run.name="stopped$rank"
  until_true grep -qs '"step":3,' "runs/stopped$rank/metrics.jsonl"
  pid=$(pid_of "$rank")
  kill -STOP "$pid"
  SECONDS=0
  code=0
  wait "$job" || code=$?
  kill -KILL "$pid" 2> kill.log || true
  [ "$code" = 76 ] || fail "rank $rank is stopped: exit code $code: $(tail -5 out.log)"
  [ "$SECONDS" -le 20 ] || fail "rank $rank is stopped: found after $SECONDS s"
  grep -q "rank $rank has said nothing for [0-9]* s.*the job ends" out.log || fail "rank $rank is not named: $(tail -5 out.log)"
  echo "rank $rank stopped: the job was gone after $SECONDS s"
done
grep -q "(process $pid" out.log || fail "what rank 0 does is not said: $(tail -5 out.log)"
"$LMTRAIN" runs runs/stopped1 > runs.log
grep -q "rank 1 has said nothing" runs/stopped1/ending.json || fail "the end is not on record: $(cat runs/stopped1/ending.json)"

# A rank that is stopped while it writes samples, for which the other waits.
mpirun -n 2 "$LMTRAIN" config.yaml parallel.hang_seconds=4 train.steps=3 eval.interval=0 eval.samples=1000 run.name=samples > out.log 2>&1 &
job=$!
until_true grep -q "writing 1,000 samples" out.log
pid=$(pid_of 0)
kill -STOP "$pid"
SECONDS=0
code=0
wait "$job" || code=$?
kill -KILL "$pid" 2> kill.log || true
[ "$code" = 76 ] || fail "rank 0 is stopped in its samples: exit code $code: $(tail -5 out.log)"
[ "$SECONDS" -le 20 ] || fail "rank 0 is stopped in its samples: found after $SECONDS s"

# What each rank did last.
start run.name=table parallel.bucket_mib=0.001
until_true grep -qs '"step":3,' runs/table/metrics.jsonl
pid=$(pid_of 1)
kill -STOP "$pid"
wait "$job" || true
kill -KILL "$pid" 2> kill.log || true
grep -q "is stopped)" out.log || fail "$(tail -5 out.log)"
grep -Eq "rank 0 on .*, step [0-9]+, .*: in [a-z_]+ [0-9]+ on axis [a-z_]+.* for [0-9]+ s" out.log || fail "no table: $(tail -8 out.log)"
grep -Eq "rank 1 on .*, step [0-9]+, .* ago\)" out.log || fail "no table: $(tail -8 out.log)"

# One rank alone, whose training thread stands still; a debugger that holds that one thread does it here.
"$LMTRAIN" config.yaml parallel.hang_seconds=4 train.steps=100000 eval.interval=0 run.name=alone > out.log 2>&1 &
job=$!
until_true grep -qs '"step":40,' runs/alone/metrics.jsonl
python3 - "$job" << 'PY' &
import ctypes, sys, time
PTRACE_ATTACH = 16
if ctypes.CDLL(None, use_errno=True).ptrace(PTRACE_ATTACH, int(sys.argv[1]), None, None) == 0:
    time.sleep(60)
PY
debugger=$!
until_true sh -c "kill -0 $debugger && grep -q '^State:.t' /proc/$job/task/$job/status"
SECONDS=0
code=0
wait "$job" || code=$?
kill "$debugger" 2> kill.log || true
[ "$code" = 76 ] || fail "one rank that stands still: exit code $code: $(tail -5 out.log)"
grep -q "rank 0 has made no progress for [0-9]* s; the job ends" out.log || fail "one rank that stands still: $(tail -5 out.log)"
grep -q '"code": 76' runs/alone/ending.json || fail "the end is not on record: $(cat runs/alone/ending.json)"
echo "one rank alone that stood still: the job was gone after $SECONDS s"

# A job that is suspended as a whole goes on, and so does one with a slow start.
for ((i = 0; i < 100; ++i)); do cat text/corpus; done > text/more
start run.name=suspended tokenizer.vocab_size=3000
until_true grep -qs '"step":3,' runs/suspended/metrics.jsonl
ranks=$(pgrep -P "$job")
# shellcheck disable=SC2086
kill -STOP $ranks
sleep 12
# shellcheck disable=SC2086
kill -CONT $ranks
sleep 8
kill -0 "$job" || fail "a suspended job was ended: $(tail -5 out.log)"
kill -USR1 "$job"
code=0
wait "$job" || code=$?
[ "$code" = 75 ] || fail "a suspended job: exit code $code: $(tail -5 out.log)"
echo "suspended for 12 s: went on"

# A rank that is slow is named; here it stands still for half of each step.
start run.name=slow model.hidden_size=256 model.num_layers=4 train.global_batch_size=32 train.micro_batch_size=4 train.precision=auto checkpoint.interval=0
until_true grep -qs '"step":12,' runs/slow/metrics.jsonl
pid=$(pid_of 1)
begin=$(wc -l < runs/slow/metrics.jsonl)
until grep -q "rank 1 on .* is slow: it computes a step in [0-9.]* s, the others in [0-9.]* s, and all wait for it" out.log; do
  kill -0 "$job" || fail "the run ended: $(tail -3 out.log)"
  [ "$(wc -l < runs/slow/metrics.jsonl)" -lt $((begin + 60)) ] || fail "a slow rank is not named: $(tail -3 out.log)"
  kill -STOP "$pid"
  sleep 0.05
  kill -CONT "$pid"
  sleep 0.05
done
echo "a rank that takes twice as long was named after $(($(wc -l < runs/slow/metrics.jsonl) - begin)) steps"
kill -USR1 "$job"
wait "$job" || true

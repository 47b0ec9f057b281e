#!/usr/bin/env bash
# Defect: a resumed run that differs from the uninterrupted one in any bit, after kill -9 of a rank or a request to stop.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

mpirun -n 2 "$LMTRAIN" config.yaml run.name=whole > whole.log 2>&1 || fail "the uninterrupted run: $(tail -5 whole.log)"

wait_for_step() {
  for ((i = 0; i < 600; ++i)); do
    grep -q "\"step\":$2," "runs/$1/metrics.jsonl" 2>/dev/null && return
    sleep 0.02
  done
  fail "run $1 never reached step $2"
}

# kill -9 of one rank in the middle: the job ends, and the same command continues.
mpirun -n 2 "$LMTRAIN" config.yaml run.name=killed > killed.log 2>&1 &
job=$!
wait_for_step killed 12
rank=$(pgrep -n -P "$job") || fail "no rank was left to kill"
kill -9 "$rank"
wait "$job" && fail "the killed job ended as if nothing had happened"
[ ! -e runs/killed/summary.json ] || fail "the killed run calls itself finished"
mpirun -n 2 "$LMTRAIN" config.yaml run.name=killed > killed2.log 2>&1 || fail "the resume: $(tail -5 killed2.log)"
grep -q "continuing from" killed2.log || fail "the run began anew"
diff <(trace whole 40) <(trace killed 40) || fail "kill -9 and resume changed the run"

# expect_stop NAME STEP SIGNAL COMMAND...: the command, sent the signal once it is past the step, saves and exits with 75.
# A save at every step keeps a fast machine from being done before mpirun has passed the signal on.
expect_stop() {
  local name=$1 step=$2 signal=$3 code=0
  shift 3
  "$@" config.yaml run.name="$name" checkpoint.interval=1 > "$name.log" 2>&1 &
  job=$!
  wait_for_step "$name" "$step"
  kill -"$signal" "$job"
  wait "$job" || code=$?
  [ "$code" = 75 ] || fail "exit code $code after SIG$signal, expected 75: $(tail -5 "$name.log")"
}

# SIGUSR1 to mpirun: all ranks save at the next step and exit with 75.
expect_stop stopped 7 USR1 mpirun -n 2 "$LMTRAIN"
mpirun -n 2 "$LMTRAIN" config.yaml run.name=stopped > stopped2.log 2>&1 || fail "the resume: $(tail -5 stopped2.log)"
diff <(trace whole 40) <(trace stopped 40) || fail "stop and resume changed the run"

# Muon's state is saved and loaded as well, and moves to another layout.
muon="config.yaml optimizer.kind=muon train.steps=10"
# shellcheck disable=SC2086
mpirun -n 2 "$LMTRAIN" $muon run.name=muon > muon.log 2>&1 || fail "a run with Muon: $(tail -5 muon.log)"
cp -r runs/muon runs/moved
rm -r runs/moved/checkpoints/step-00000010 runs/moved/summary.json
# shellcheck disable=SC2086
mpirun -n 2 "$LMTRAIN" $muon run.name=moved parallel.zero=1 > moved.log 2>&1 || fail "its resume: $(tail -5 moved.log)"
grep -aq "continuing from" moved.log || fail "the run with Muon began anew"
diff <(trace muon 10) <(trace moved 10) || fail "resume in another layout changed the run with Muon"

# Finished: says so and exits 0. A larger train.steps extends it.
mpirun -n 2 "$LMTRAIN" config.yaml run.name=whole > again.log 2>&1 || fail "a finished run started again"
grep -q "has finished" again.log || fail "a finished run did not say so"
mpirun -n 2 "$LMTRAIN" config.yaml run.name=whole train.steps=42 > more.log 2>&1 || fail "extending a run"
grep -q '"step":42,' runs/whole/metrics.jsonl || fail "the run was not extended"
for file in report.md emissions.json; do
  [ -s "runs/whole/$file" ] || fail "no $file"
done

# SIGTERM to a rank that has time: the same as SIGUSR1.
expect_stop terminated 3 TERM "$LMTRAIN"
grep -q "stopped on request" terminated.log || fail "SIGTERM was not told apart"

# The end of the terminal too; under nohup it would be ignored.
expect_stop abandoned 3 HUP env --default-signal=HUP "$LMTRAIN"

# Ctrl-C once: the run is saved after the step and says so; twice: it ends at once.
expect_stop interrupted 3 INT "$LMTRAIN"
grep -q "Ctrl-C again ends it at once" interrupted.log || fail "Ctrl-C did not say what it does"
"$LMTRAIN" config.yaml run.name=twice model.hidden_size=256 model.num_layers=4 train.global_batch_size=256 eval.batches=1 train.precision=auto > twice.log 2>&1 &
job=$!
until_true grep -qs '"step":1,' runs/twice/metrics.jsonl
kill -INT "$job"
sleep 0.05
kill -INT "$job"
code=0
wait "$job" || code=$?
[ "$code" = 130 ] || fail "exit code $code after two Ctrl-C, expected 130: $(tail -3 twice.log)"

# Stopped early, then asked to end there: the last loss is that of the last step.
done_steps=$(newest_checkpoint interrupted | grep -o '[0-9]*$' | sed 's/^0*//')
"$LMTRAIN" config.yaml run.name=interrupted train.steps="$done_steps" > ended.log 2>&1 || fail "ending a stopped run: $(tail -3 ended.log)"
grep -q "\"step\":$done_steps,\"validation_loss\"" runs/interrupted/metrics.jsonl ||
  fail "the run ended at step $done_steps without a validation there"

# A request while text is prepared is honoured at once.
rm -rf cache/tokens-*
held=()
for lock in cache/.tokens-*.lock; do
  exec {fd}>> "$lock"
  flock "$fd"
  held+=("$fd")
done
"$LMTRAIN" config.yaml run.name=waits > waits.log 2>&1 &
job=$!
for ((i = 0; i < 200; ++i)); do
  grep -q "wait" waits.log && break
  sleep 0.05
done
begin=$SECONDS code=0
kill -TERM "$job"
wait "$job" || code=$?
[ "$code" = 75 ] || fail "exit code $code after SIGTERM in preparation: $(tail -3 waits.log)"
[ $((SECONDS - begin)) -le 5 ] || fail "SIGTERM in preparation was honoured after $((SECONDS - begin)) s"
for fd in "${held[@]}"; do exec {fd}>&-; done

# Killed again and again, at whatever it is doing, saves among it: no checkpoint that counts is ever bad.
for wait_seconds in 0.9 0.5 0.7 0.6 0.8; do
  "$LMTRAIN" config.yaml run.name=often checkpoint.interval=1 > often.log 2>&1 &
  job=$!
  sleep "$wait_seconds"
  kill -9 "$job" 2> kill.log || true
  wait "$job" || true
  ! grep -q "passing over" often.log || fail "a save that was killed left a checkpoint that counts: $(grep "passing over" often.log)"
done
"$LMTRAIN" config.yaml run.name=often checkpoint.interval=1 > often.log 2>&1 || fail "after many kills: $(tail -5 often.log)"
"$LMTRAIN" config.yaml run.name=once > once.log 2>&1 || fail "the uninterrupted run of one rank: $(tail -5 once.log)"
diff <(trace once 40) <(trace often 40) || fail "many kills changed the run"

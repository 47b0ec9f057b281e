#!/usr/bin/env bash
# Defect: a request to stop, or the end of the job's time, that is not heeded, because the run is starting, in a validation, an
# evaluation, a save or its last samples; that costs what was trained, or saves twice; or after which the run goes on to other numbers.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

# Each part of this run takes a while.
awk 'BEGIN { for (i = 0; i < 300; ++i) printf "{\"context\": \"the of and\", \"choices\": [\" to in\", \" was his\"], \"answer\": %d}\n", i % 2 }' > items.jsonl
sed -i 's/eval: .*/eval: {interval: 4, batches: 30, samples: 30, sample_tokens: 60, tasks_interval: 6, tasks: [{task: choice, path: items.jsonl}]}/' config.yaml
parts=(train.steps=12 checkpoint.interval=5)
records() { grep -v 'data_hash\|checkpoint_bytes' "runs/$1/metrics.jsonl" | sed -E 's/"(time|attempt|kwh|loss_per_kwh|validation_seconds)":[^,}]*,?//g'; }
now() { date +%s%N; }

# check NAME LIKE: the run went on to the very numbers of an undisturbed one.
check() {
  trace "$1" 12 > now.trace
  trace "$2" 12 | cmp - now.trace || fail "$1 went on to other numbers"
  records "$1" > now.records
  records "$2" | cmp - now.records || fail "$1 has other validations than the undisturbed run"
  rm -rf "runs/$1"
}

# stopped NAME: the run that was asked to stop ended as it should, and says where.
stopped() {
  local at
  if grep -q "stopped on request after step" out.log; then
    at=$(grep -o "after step [0-9]*" out.log | tail -1 | grep -o "[0-9]*")
    [ "$(newest_checkpoint "$1")" = "runs/$1/checkpoints/step-$(printf %08d "$at")" ] || fail "$1 is not saved at step $at"
    grep -q '"code": 75' "runs/$1/ending.json" || fail "$1: $(cat "runs/$1/ending.json")"
  fi
}

# begin COMMAND...: starts it as $job, which can be asked to stop since $began. Open MPI's mpirun keeps no signal for ranks that it has
# not started yet.
begin() {
  : > out.log
  "$@" > out.log 2>&1 &
  job=$!
  if [ "$1" = mpirun ]; then
    until [ -s out.log ]; do sleep 0.01; done
  fi
  began=$(now)
}

# sweep MOMENTS NAME COMMAND...: asks runs at so many moments, from the start of the program to its end.
sweep() {
  local moments=$1 kind=$2 asked took i=0 code late=0 waited
  shift 2
  begin "$@" run.name="$kind"
  wait "$job" || fail "$kind: $(tail -3 out.log)"
  took=$((($(now) - began) / 1000000))
  while ((i < moments)); do
    local name=$kind-$i after=$((took * (i + 1) / (moments + 1)))
    begin "$@" run.name="$name"
    sleep "$((after / 1000)).$(printf %03d $((after % 1000)))"
    kill -USR1 "$job" 2> kill.log || true
    asked=$(now)
    code=0
    wait "$job" || code=$?
    waited=$((($(now) - asked) / 1000000))
    [ "$code" = 75 ] || [ "$code" = 0 ] || fail "$name: exit code $code: $(tail -5 out.log)"
    [ "$waited" -le 5000 ] || fail "$name ended $waited ms after it was asked: $(tail -3 out.log)"
    if [ "$code" = 0 ]; then
      # Asked when it was done already: this machine is faster now than it was. Nothing else may go on.
      [ "$waited" -le 1500 ] || fail "$name was asked to stop and trained on for $waited ms: $(tail -3 out.log)"
      late=$((late + 1))
      [ "$late" -le "$moments" ] || fail "$late requests of $kind were not heeded"
      took=$(($(now) / 1000000 - began / 1000000 - 100))
      check "$name" "$kind"
      continue
    fi
    stopped "$name"
    "$@" run.name="$name" > out.log 2>&1 || fail "$name does not go on: $(tail -3 out.log)"
    check "$name" "$kind"
    i=$((i + 1))
  done
  # The samples are the last part that takes a while.
  begin "$@" run.name="$kind-samples"
  until grep -q "writing 30 samples" out.log; do sleep 0.05; done
  kill -USR1 "$job"
  code=0
  wait "$job" || code=$?
  [ "$code" = 75 ] || fail "a request in the samples was not heeded: exit code $code"
  grep -q "stopped on request after step 12;" out.log || fail "$(tail -3 out.log)"
  stopped "$kind-samples"
  "$@" run.name="$kind-samples" > out.log 2>&1 || fail "$kind-samples does not go on: $(tail -3 out.log)"
  check "$kind-samples" "$kind"
  echo "$kind: $moments requests were heeded; $late more came when the run was done"
}

sweep "${LMTRAIN_TEST_MOMENTS:-25}" alone "$LMTRAIN" config.yaml "${parts[@]}"
sweep "${LMTRAIN_TEST_MOMENTS:-8}" pair mpirun -n 2 "$LMTRAIN" config.yaml "${parts[@]}" parallel.zero=3 parallel.threads=1

# The end of the job's time, which no signal tells of: the user's, and that of a job of Slurm.
SECONDS=0
expect 75 "stopped because run.stop_after = 12s is nearly reached after step" config.yaml run.name=after train.steps=100000 run.stop_after=12s
[ "$SECONDS" -le 12 ] || fail "stop_after: it ended after $SECONDS s"
grep -q "run.stop_after" runs/after/ending.json || fail "the end is not recorded: $(cat runs/after/ending.json)"
slurm=(SLURM_JOB_ID=77 SLURM_RESTART_COUNT=2 SLURM_CLUSTER_NAME=trial SLURM_JOB_PARTITION=normal SLURM_JOB_NODELIST=host1 SLURM_JOB_NUM_NODES=1)
code=0
env "${slurm[@]}" "SLURM_JOB_END_TIME=$(($(date +%s) + 12))" "$LMTRAIN" config.yaml run.name=slurm train.steps=100000 > out.log 2>&1 || code=$?
[ "$code" = 75 ] || fail "exit code $code at the end of the job's time: $(tail -3 out.log)"
grep -q "stopped because the time of Slurm job 77, restart 2 is nearly up" out.log || fail "$(tail -3 out.log)"
# A margin of one's own, and none.
SECONDS=0
expect 75 "run.stop_after" config.yaml run.name=margin train.steps=100000 run.stop_after=20s run.stop_before_end=17s
[ "$SECONDS" -le 8 ] || fail "stop_before_end: it ended after $SECONDS s"
SLURM_JOB_ID=78 SLURM_JOB_END_TIME=$(($(date +%s) + 5)) expect 0 "report" config.yaml run.name=off "${parts[@]}" run.stop_before_end=0s
# In start-up, where there is nothing to save.
expect 75 "stopped while it started, because run.stop_after" config.yaml run.name=early run.stop_after=1s

# Which job it was stands in the records.
grep -q '"id": "77"' runs/slurm/provenance.json || fail "the provenance has no job"
grep -q '"partition": "normal"' runs/slurm/emissions.json || fail "the emissions have no job"
grep -q "Slurm job 77, restart 2" runs/slurm/report.md || fail "the report has no job"
"$LMTRAIN" runs > out.log
grep -Eq "^alone +finished +12 of 12 " out.log || fail "runs: $(cat out.log)"
grep -Eq "^slurm +stopped +[0-9,]+ of 100,000 .* 77 " out.log || fail "runs: $(cat out.log)"
"$LMTRAIN" config.yaml run.name=killed train.steps=100000 > killed.log 2>&1 &
job=$!
until grep -qs '"step":3,' runs/killed/metrics.jsonl; do sleep 0.05; done
"$LMTRAIN" runs > out.log
grep -Eq "^killed +running" out.log || fail "runs: $(cat out.log)"
expect 73 "a job on $(hostname) (process $job, since .*) is writing in runs/killed" config.yaml run.name=killed
kill -KILL "$job"
wait "$job" || true
"$LMTRAIN" runs runs/killed --json > out.log
grep -q '"state":"interrupted"' out.log || fail "runs: $(cat out.log)"
expect 64 "train.steps" config.yaml run.name=killed train.steps=1

# Slurm's own figure of that job, beside lmtrain's.
printf '77|9000\n77.batch|4000\n77.0|5000\n' | "$LMTRAIN" report runs/slurm --slurm - > out.log || fail "$(cat out.log)"
grep -Eq "^\| Slurm's figure for job 77 \| 1.39 Wh, [0-9.]+ times lmtrain's .* of 1 attempt" runs/slurm/report.md || fail "$(grep Slurm runs/slurm/report.md)"
expect 0 "report.md" report runs/slurm
grep -q "Slurm's figure for job 77" runs/slurm/report.html || fail "Slurm's figure is not kept"
printf '76|9000\n' > sacct.txt
expect 65 "no energy of a job in which runs/slurm has run" report runs/slurm --slurm sacct.txt
printf 'JobID|ConsumedEnergyRaw\n' > sacct.txt
expect 65 "line 1: .* is not JobID|ConsumedEnergyRaw" report runs/slurm --slurm sacct.txt

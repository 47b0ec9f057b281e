#!/usr/bin/env bash
# Defect: a loss that is not finite ends a run at once or never; a spike is not answered as the config has it, or otherwise after a
# kill; a replayed step or a comparison of replicas changes the numbers.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

export OMPI_MCA_rmaps_base_oversubscribe=1
quiet=(eval.interval=0 eval.samples=0)

wild=(train.steps=30 optimizer.lr=100 train.clip_grad_norm=0 schedule.warmup_steps=0 train.precision=bf16)
# Three steps in a row are left out, the fourth ends the run. Before them steps may be left out here and there.
expect 70 "is not finite: its .*; nothing was updated, as in the 3 steps before (train.skip_nonfinite = 3)" \
  config.yaml run.name=nan "${quiet[@]}" "${wild[@]}"
# It did not end in order: its last steps, which no checkpoint has, are computed again.
python3 - << 'PY' || fail "the report of a failed attempt: $(cat runs/nan/emissions.json)"
import json
first = json.load(open("runs/nan/emissions.json"))["attempts"][0]
steps = sum('"data_hash"' in line for line in open("runs/nan/metrics.jsonl"))
assert not first["ended_in_order"], "it is said to have ended in order"
assert first["last_step"] >= steps >= 4, (first, steps)
PY
[ "$(grep '"data_hash"' runs/nan/metrics.jsonl | tail -3 | grep -c '"skipped":true')" = 3 ] || fail "not three steps left out: $(cat runs/nan/metrics.jsonl)"
expect 70 "is not finite: its .*; nothing was updated. Lower" \
  config.yaml run.name=at-once "${quiet[@]}" "${wild[@]}" train.skip_nonfinite=0

# Computing steps twice and comparing replicas leaves the numbers as they are.
mpirun -n 2 "$LMTRAIN" config.yaml run.name=plain "${quiet[@]}" train.steps=10 train.drift_every=0 parallel.threads=1 > out.log 2>&1 \
  || fail "$(tail -3 out.log)"
mpirun -n 2 "$LMTRAIN" config.yaml run.name=careful "${quiet[@]}" train.steps=10 train.drift_every=1 train.replay_every=3 parallel.threads=1 \
  > out.log 2>&1 || fail "$(tail -3 out.log)"
trace plain 10 > plain.trace
trace careful 10 | cmp - plain.trace || fail "a replayed step or a comparison of replicas changes the numbers"

# Spikes, found early by a low limit. Each policy does what it says.
spiky=("${quiet[@]}" train.steps=60 train.spikes.window=8 train.spikes.z_score=2 checkpoint.keep=20)
"$LMTRAIN" config.yaml run.name=warned "${spiky[@]}" > out.log 2>&1 || fail "$(tail -3 out.log)"
grep -q "standard deviations above" out.log || fail "no spike is named: $(cat out.log)"
! grep -q '"skipped"' runs/warned/metrics.jsonl || fail "a warning leaves steps out"
spikes=$(grep -c '"spike":true' runs/warned/metrics.jsonl)
[ "$spikes" = "$(grep -c "standard deviations above" out.log)" ] || fail "not every spike is in the metrics"
grep -q "^| Spikes of the loss or the gradient norm | $spikes |" runs/warned/report.md || fail "the report does not count $spikes spikes"
"$LMTRAIN" config.yaml run.name=skipped "${spiky[@]}" train.spikes.policy=skip > out.log 2>&1 || fail "$(tail -3 out.log)"
skips=$(grep -c '"skipped":true' runs/skipped/metrics.jsonl)
[ "$skips" -ge 1 ] || fail "no step is left out"
grep -q "^| Steps whose update was left out | $skips |" runs/skipped/report.md || fail "the report does not count $skips steps"

# A roll-back, on one rank and on two, and on one what a kill after it leaves: the same numbers in the end.
back=("${spiky[@]}" train.spikes.policy=roll_back train.spikes.max_roll_backs=100)
for ranks in 1 2; do
  run() { if [ "$ranks" = 1 ]; then "$LMTRAIN" "$@"; else mpirun -n 2 "$LMTRAIN" "$@" parallel.threads=1; fi; }
  run config.yaml run.name="back$ranks" "${back[@]}" train.trace=true > out.log 2>&1 || fail "$(tail -3 out.log)"
  grep -q "rolling back to the newest checkpoint (1 of at most 100); the batches from there to step" out.log || fail "no roll-back: $(cat out.log)"
  updates=$(grep -o '"name": *"optimizer"' "runs/back$ranks/trace/rank-00000.json" | wc -l)
  [ "$updates" -ge 60 ] || fail "the trace lost what came before the roll-back: it shows $updates updates"
  grep -q "Rolled back from step" "runs/back$ranks/report.md" || fail "the report tells of no roll-back"
  trace "back$ranks" 60 > back.trace
  [ "$(grep -c '"data_hash"' back.trace)" = 60 ] || fail "not 60 steps after a roll-back"
  [ "$(sed -n 's/.*"data_hash":"\([0-9a-f]*\)".*/\1/p' back.trace | sort -u | wc -l)" = 60 ] || fail "a batch is read twice"
  [ "$ranks" = 1 ] || continue
  "$LMTRAIN" config.yaml run.name="cut$ranks" "${back[@]}" > cut.log 2>&1 &
  job=$!
  until grep -qs "rolling back" cut.log && grep -q "continuing from" cut.log; do
    kill -0 "$job" || fail "there was no roll-back: $(tail -3 cut.log)"
    sleep 0.02
  done
  kill -KILL "$job" || fail "it ended before the kill"
  wait "$job" 2> kill.log || true
  # Once more when a checkpoint behind the roll-back holds what was skipped.
  "$LMTRAIN" config.yaml run.name="cut$ranks" "${back[@]}" > cut.log 2>&1 &
  job=$!
  until [ -e "runs/cut$ranks/checkpoints/step-00000050/manifest.json" ]; do
    kill -0 "$job" || fail "there was no checkpoint of step 50: $(tail -3 cut.log)"
    sleep 0.01
  done
  kill -KILL "$job" || fail "it ended before the second kill"
  wait "$job" 2> kill.log || true
  grep -q '"passed_batches": [1-9]' "runs/cut$ranks/checkpoints/step-00000050/manifest.json" || fail "the checkpoint knows of no skipped batches"
  run config.yaml run.name="cut$ranks" "${back[@]}" > out.log 2>&1 || fail "after a kill: $(tail -3 out.log)"
  trace "cut$ranks" 60 | cmp - back.trace || fail "a run that was killed after a roll-back ends with other numbers"
done

# A stop between two saves leaves one more checkpoint, which no roll-back goes to: the same numbers in the end.
step=$(grep -o "Rolled back from step [0-9]*" runs/back1/report.md | head -1 | grep -o "[0-9]*")
trace back1 60 > back.trace
stopped=0
for _ in {1..12}; do
  rm -rf runs/asked
  "$LMTRAIN" config.yaml run.name=asked "${back[@]}" > asked.log 2>&1 &
  job=$!
  # The step that was asked for and a few more may pass.
  until grep -qs "\"step\":$(((step - 1) / 5 * 5))," runs/asked/metrics.jsonl; do kill -0 "$job" || break; done
  kill -USR1 "$job" 2> kill.log || true
  wait "$job" || true
  stopped=$(grep -o "after step [0-9]*; the same command continues" asked.log | grep -o "[0-9]*" || true)
  [ -n "$stopped" ] && [ "$stopped" -lt "$step" ] && [ $((stopped % 5)) != 0 ] && break
  stopped=0
done
if [ "$stopped" = 0 ]; then
  echo "no stop met the steps before the spike of step $step"
else
  "$LMTRAIN" config.yaml run.name=asked "${back[@]}" > out.log 2>&1 || fail "after a stop at step $stopped: $(tail -3 out.log)"
  trace asked 60 | cmp - back.trace || fail "a run that was stopped at step $stopped, before the spike of step $step, ends with other numbers"
fi
expect 70 "after 1 roll-back (train.spikes.max_roll_backs)" config.yaml run.name=enough "${back[@]}" train.spikes.max_roll_backs=1 \
  train.spikes.z_score=0.5

#!/usr/bin/env bash
# Defect: a save beside training that changes the numbers, holds other tensors than one that training waits for, is lost or
# mixed with the next when the run is killed within it, or keeps nothing of what it took; or an interval that is automatic and never comes.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

export OMPI_MCA_rmaps_base_oversubscribe=1
steps=(train.steps=12 checkpoint.interval=4 eval.interval=0)

# Beside training and waited for, alone and with two ranks whose shards are put together: the same files and the same steps.
"$LMTRAIN" config.yaml run.name=beside "${steps[@]}" > out.log 2>&1 || fail "$(tail -3 out.log)"
"$LMTRAIN" config.yaml run.name=waits "${steps[@]}" checkpoint.asynchronous=false > out.log 2>&1 || fail "$(tail -3 out.log)"
trace waits 12 > waits.trace
trace beside 12 | cmp - waits.trace || fail "a save beside training differs from one that training waits for"
for zero in 0 3; do
  for how in true false; do
    mpirun -n 2 "$LMTRAIN" config.yaml run.name="pair$zero$how" "${steps[@]}" parallel.zero=$zero parallel.threads=1 \
      checkpoint.asynchronous=$how > out.log 2>&1 || fail "$(tail -3 out.log)"
  done
  trace "pair${zero}true" 12 > pair.trace
  trace "pair${zero}false" 12 | cmp - pair.trace || fail "zero $zero: two ranks save something else beside training"
done

# What saves took is on record, each save once.
[ "$(grep -c '"checkpoint_bytes"' runs/beside/metrics.jsonl)" = 3 ] || fail "not three saves on record: $(grep checkpoint_bytes runs/beside/metrics.jsonl)"
grep -q '"persist_seconds":[0-9.e-]*,"stall_seconds":[0-9.e-]*,"step":4,"work_seconds"' runs/beside/metrics.jsonl \
  || fail "$(grep checkpoint_bytes runs/beside/metrics.jsonl)"
grep -q "^| Checkpoints saved | 3, of " runs/beside/report.md || fail "the report does not tell of saves"
grep -q "^| Copies for saves, while training stood still | " runs/beside/report.md || fail "the report does not tell of the time that saves took"

# Killed as soon as a save has made its folder, several times: the same command ends with the same numbers. Before the first
# save has ended there is no checkpoint, and the run begins anew.
"$LMTRAIN" config.yaml run.name=whole "${steps[@]}" checkpoint.interval=1 checkpoint.keep=20 > out.log 2>&1 || fail "$(tail -3 out.log)"
trace whole 12 > whole.trace
for at in 1 1 2 5 9; do
  "$LMTRAIN" config.yaml run.name=killed "${steps[@]}" checkpoint.interval=1 checkpoint.keep=20 > out.log 2>&1 &
  job=$!
  until [ -e "runs/killed/checkpoints/step-0000000$at" ] || ! kill -0 "$job" 2> kill.log; do :; done
  kill -KILL "$job" 2> kill.log || true
  wait "$job" 2> kill.log || true
done
"$LMTRAIN" config.yaml run.name=killed "${steps[@]}" checkpoint.interval=1 checkpoint.keep=20 > out.log 2>&1 \
  || fail "after kills within saves: $(tail -3 out.log)"
trace killed 12 | cmp - whole.trace || fail "a run that was killed within saves ends with other numbers"

# A run that has had a checkpoint is not begun anew when it is gone.
rm -r runs/whole/checkpoints/step-*
rm runs/whole/facts.json runs/whole/summary.json
expect 66 "metrics.jsonl tells of one" config.yaml run.name=whole "${steps[@]}"

# Automatic intervals: with a failure every 0.4 s and saves of some milliseconds, a save every 100 ms at the most.
"$LMTRAIN" config.yaml run.name=auto train.steps=200 eval.interval=0 checkpoint.interval=auto checkpoint.mtbf_hours=0.0001 \
  checkpoint.keep=100 > out.log 2>&1 || fail "$(tail -3 out.log)"
saves=$(grep -c '"checkpoint_bytes"' runs/auto/metrics.jsonl)
if [ "$saves" -lt 2 ] || [ "$saves" -ge 150 ]; then fail "automatic intervals saved $saves times in 200 steps"; fi
expect 64 "checkpoint.mtbf_hours has no effect" config.yaml run.name=idle checkpoint.mtbf_hours=5

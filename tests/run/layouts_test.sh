#!/usr/bin/env bash
# Layouts from the outside: verify and its exit code, a run that is killed in one layout and goes on in another
# with the data that one rank reads, parallel: auto. Defects: a checkpoint that fits its own layout alone, a
# stream of data that depends on the layout, a verdict without an exit code.
LMTRAIN=$1
# shellcheck source-path=SCRIPTDIR
source "$(dirname "$0")/lib.sh"
export OMP_NUM_THREADS=1

ranks() {
  local count=$1
  shift
  mpirun -n "$count" "$LMTRAIN" config.yaml train.precision=fp64 train.micro_batch_size=1 "$@"
}
field() { grep "\"step\":$2," "runs/$1/metrics.jsonl" | grep data_hash | grep -o "\"$3\":[^,]*" | head -1; }

ranks 1 run.name=one train.steps=40 > one.log 2>&1 || fail "one rank ($(tail -3 one.log))"
cut=(parallel.tensor=2 parallel.sequence=true parallel.zero=3 parallel.recompute=full)
mpirun -n 4 "$LMTRAIN" config.yaml train.precision=fp64 train.micro_batch_size=1 run.name=moved train.steps=40 \
  "${cut[@]}" > cut.log 2>&1 &
job=$!
for _ in $(seq 300); do
  [ -e runs/moved/checkpoints/step-00000005/manifest.json ] && break
  sleep 0.1
done
pid=$(pgrep -P "$job" lmtrain | head -1) || fail "the job ended before it could be killed"
kill -9 "$pid"
wait "$job" 2> /dev/null || true
[ -e runs/moved/checkpoints/step-00000005/manifest.json ] || fail "no checkpoint in four ranks ($(tail -3 cut.log))"

ranks 2 run.name=moved train.steps=40 parallel.zero=1 > moved.log 2>&1 || fail "resume in another layout ($(tail -3 moved.log))"
for step in 4 20 40; do
  [ "$(field one $step data_hash)" = "$(field moved $step data_hash)" ] || fail "other data at step $step"
done
awk -v a="$(field one 40 loss | cut -d: -f2)" -v b="$(field moved 40 loss | cut -d: -f2)" \
  'BEGIN { d = a - b; exit !(d < 1e-9 && d > -1e-9) }' || fail "other losses: $(field one 40 loss) $(field moved 40 loss)"

mpirun -n 2 "$LMTRAIN" verify config.yaml train.precision=fp64 parallel.tensor=2 --steps 3 > verify.log 2>&1 ||
  fail "verify ($(tail -3 verify.log))"
grep -q "^EQUAL: equal within 1e-9" verify.log || fail "no verdict ($(tail -3 verify.log))"
# Gradients that are rounded on their way are not those of one rank in fp64.
code=0
mpirun -n 2 "$LMTRAIN" verify config.yaml train.precision=fp64 parallel.reduce_type=bf16 --steps 2 > other.log 2>&1 || code=$?
[ "$code" = 70 ] || fail "a difference ends with $code ($(tail -3 other.log))"
grep -q "^DIFFERENT: " other.log || fail "no verdict ($(tail -3 other.log))"

ranks 2 run.name=chosen train.steps=2 parallel=auto > auto.log 2>&1 || fail "parallel=auto ($(tail -3 auto.log))"
grep -q "parallel.layout = auto: data " auto.log || fail "no layout was chosen ($(tail -3 auto.log))"
grep -q "layout: manual" runs/chosen/config.yaml || fail "the record does not say what was chosen"
expect 64 "leave one of the two out" config.yaml parallel.layout=auto parallel.zero=1
expect 0 "layouts fit; the fastest first" layouts config.yaml --ranks 4
expect 64 "no layout of 7 ranks divides" layouts config.yaml --ranks 7

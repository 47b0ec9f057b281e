#!/usr/bin/env bash
# Defect: a wrong exit code, an error that names no key, a file left behind, damage that goes unnoticed.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

# expect CODE PATTERN ARGUMENT...
expect() {
  local want=$1 pattern=$2 code=0
  shift 2
  "$LMTRAIN" "$@" > out.log 2>&1 || code=$?
  [ "$code" = "$want" ] || fail "exit code $code, expected $want, of: $* ($(tail -3 out.log))"
  grep -q -- "$pattern" out.log || fail "'$pattern' is not in the output of: $* ($(tail -3 out.log))"
}

before=$(find . ! -name out.log | sort)
expect 64 "train.steps" config.yaml train.stpes=5
code=0
mpirun -n 2 "$LMTRAIN" config.yaml train.stpes=5 > mpi.log 2>&1 || code=$?
[ "$code" = 64 ] || fail "exit code $code of two ranks"
[ "$(grep -c 'train.stpes' mpi.log)" = 1 ] || fail "not one line of lmtrain's own"
rm mpi.log
expect 64 "parallel.tensor" config.yaml parallel.tensor=2
expect 64 "parallel.zero" config.yaml parallel.zero=1
expect 64 "hidden_size" config.yaml model.hidden_size=33
expect 65 "nowhere" config.yaml "data.sources=[{path: nowhere}]"
[ "$(find . ! -name out.log | sort)" = "$before" ] || fail "a refused config left files behind"

expect 0 "report" config.yaml run.name=a train.steps=10
expect 64 "model.hidden_size" config.yaml run.name=a train.steps=20 model.hidden_size=64
expect 64 "resume" config.yaml run.name=a train.steps=20 run.resume=never

# A flipped bit in the newest checkpoint: the one before it is taken.
newest=$(ls -d runs/a/checkpoints/step-* | tail -1)
file=$(ls "$newest"/rank-*.h5 | head -1)
printf '\xff' | dd of="$file" bs=1 seek=3000 conv=notrunc status=none
expect 0 "continuing from runs/a/checkpoints/step-00000005" config.yaml run.name=a train.steps=20
# All damaged: 66, and never a silent start at step 0.
for file in runs/a/checkpoints/*/rank-*.h5; do truncate -s 100 "$file"; done
expect 66 "can be used" config.yaml run.name=a train.steps=30
expect 66 "no checkpoint" generate runs/nothing

expect 0 "report" config.yaml run.name=b train.steps=10
"$LMTRAIN" generate runs/b --prompt "the" --seed 4 --max-tokens 20 > one
"$LMTRAIN" generate runs/b --prompt "the" --seed 4 --max-tokens 20 > two
cmp one two || fail "sampling from a seed does not repeat"
expect 0 log_probabilities score runs/b --text "the of and"
expect 0 verified inspect runs/b
expect 0 report.md report runs/b

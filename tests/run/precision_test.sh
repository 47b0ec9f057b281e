#!/usr/bin/env bash
# Defect: train.precision = auto that takes the slower type, is written down as it is, or that a resume chooses anew.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

# train PATTERN ARGUMENT...: on two ranks.
train() {
  mpirun -n 2 "$LMTRAIN" config.yaml "${@:2}" > out.log 2>&1 || fail "training with ${*:2}: $(tail -3 out.log)"
  grep -qE -- "$1" out.log || fail "'$1' is not in the output with ${*:2}: $(head -3 out.log)"
}

train "auto: (bf16|fp32) is the faster here; matrix products reach .* in bf16 and .* in fp32" train.precision=auto train.steps=5
chosen=$(sed -n 's/.*train.precision = auto: \([a-z0-9]*\) is.*reach \([0-9,]*\) GFLOP.* and \([0-9,]*\) GFLOP.*/\1 \2 \3/p' out.log | tr -d ,)
read -r precision bf16 fp32 <<< "$chosen"
if [ "$bf16" -gt "$fp32" ]; then expected=bf16; else expected=fp32; fi
[ "$bf16" = "$fp32" ] || [ "$precision" = "$expected" ] || fail "the slower precision was chosen: $chosen"
grep -q "precision: $precision" runs/test/config.yaml || fail "config.yaml does not say what auto became"
grep -q "\"precision\": \"$precision\"" runs/test/checkpoints/step-00000005/manifest.json || fail "nor does the manifest"

# Who asks for bf16 where it is many times slower is told so. LibTorch computes in bf16 with AVX-512 alone.
train "report:" run.name=asked train.precision=bf16 train.steps=5
if grep -q avx512bw /proc/cpuinfo; then told=0; else told=1; fi
[ "$(grep -c "this processor is slow in bf16: matrix products reach" out.log)" = "$told" ] || fail "bf16 $bf16, fp32 $fp32 GFLOP/s: $(grep slow out.log)"

# A resume takes what the checkpoint has, here what no machine would choose, and a run that begins with another's does.
train "fp64" run.name=double train.precision=fp64 train.steps=5
train "auto: fp64, which the checkpoint has" run.name=double train.precision=auto train.steps=7
train "auto: fp64, which the checkpoint has" run.name=from run.resume=runs/double train.precision=auto train.steps=9
train "has finished" run.name=double train.precision=auto train.steps=7

mpirun -n 2 "$LMTRAIN" verify config.yaml train.precision=auto parallel.zero=1 --steps 2 > out.log 2>&1 || fail "verify: $(tail -3 out.log)"
expect 0 "sequences of" layouts config.yaml train.precision=auto --ranks 2
grep -qE "bf16|fp32" out.log || fail "layouts does not say what auto is: $(head -2 out.log)"
expect 0 ", bf16" layouts config.yaml train.precision=auto --ranks 2 --machine h100

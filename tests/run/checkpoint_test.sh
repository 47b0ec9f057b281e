#!/usr/bin/env bash
# Defect: checkpoints that were to stay are removed; a damaged one that is called whole; a difference between two that is not found,
# or found where there is none; a mean of weights that is none.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

names() { find "runs/$1/checkpoints" -maxdepth 1 -name 'step-*' -printf '%f\n' | sort | paste -sd' '; }

# The newest, the multiples of 20, and the one with the lowest validation loss, which is the newest here.
expect 0 "report" config.yaml eval.interval=5 checkpoint.keep=1 checkpoint.keep_every=20 checkpoint.keep_best=2
[ "$(names test)" = "step-00000020 step-00000035 step-00000040" ] || fail "these stay: $(names test)"
expect 64 "checkpoint.keep_best needs a validation at each checkpoint: eval.interval = 20 must divide checkpoint.interval = 5" \
  config.yaml run.name=refused checkpoint.keep_best=2
expect 64 "checkpoint.keep_best has no effect with checkpoint.interval = 0" config.yaml run.name=refused checkpoint.keep_best=2 checkpoint.interval=0

expect 0 "runs/test/checkpoints/step-00000040  step 40 .* validation loss [0-9.]*  [0-9.]* KiB" checkpoint list runs/test
[ "$("$LMTRAIN" checkpoint list runs/test --json | wc -l)" = 3 ] || fail "list --json"
best=$("$LMTRAIN" checkpoint list runs/test --json | grep -o '"validation_loss":[0-9.]*' | sort -t: -k2 -g | head -1)
grep -q "${best%??}" runs/test/metrics.jsonl || fail "the validation loss $best is not that of the metrics"
expect 66 "there is no checkpoint at runs/test/checkpoints/step-00000010; runs/test/checkpoints has step-00000040, step-00000035, step-00000020" \
  checkpoint list runs/test/checkpoints/step-00000010

# Equal ones, other ones, and how far they are apart.
a=runs/test/checkpoints/step-00000035
b=runs/test/checkpoints/step-00000040
expect 0 " equal to the bit, 0 tensors different" checkpoint diff $a $a
expect 1 "step: 35 and 40" checkpoint diff $a $b
grep -Eq "^weights/[a-z0-9_.]+: differs by at most [0-9.e-]+, [0-9.]+% of its norm" out.log || fail "diff: $(cat out.log)"
expect 0 report config.yaml run.name=wider train.steps=5 model.hidden_size=64
expect 1 "model.hidden_size: 32 and 64" checkpoint diff $a runs/wider
grep -q "of another shape" out.log || fail "diff: $(cat out.log)"

# The mean of one is itself; that of two lies in the middle.
expect 0 "same: the mean weights of 1 checkpoint" checkpoint merge $a --out same
expect 1 "only in the first" checkpoint diff $a same
if grep -q "^weights/" out.log; then fail "a merge of one changed its weights: $(cat out.log)"; fi
expect 0 "mean: the mean weights of 2 checkpoints" checkpoint merge $a $b --out mean
distance() { "$LMTRAIN" checkpoint diff "$1" "$2" | sed -n 's|^weights/[^:]*embedding.*at most \([0-9.e-]*\),.*|\1|p' | head -1; }
awk -v whole="$(distance $a $b)" -v half="$(distance $a mean)" 'BEGIN { exit !(whole > 0 && half > 0.49 * whole && half < 0.51 * whole) }' ||
  fail "the mean is not in the middle: $(distance $a mean) of $(distance $a $b)"
expect 0 "the" generate mean --prompt "the" --max-tokens 5
expect 64 "of another model than .*model.hidden_size is 64, not 32" checkpoint merge $a runs/wider --out none
expect 64 "mean is not empty" checkpoint merge $a --out mean
[ ! -e none ] || fail "a refused merge left a folder"

# A flipped byte is found, and the others are called whole.
expect 0 "step-00000020: whole" checkpoint verify runs/test
flip_a_byte $a
expect 66 "step-00000035: damaged: .* has XXH3" checkpoint verify runs/test
grep -q "step-00000040: whole" out.log || fail "verify: $(cat out.log)"

# For tests of whole runs: a small corpus and config in a temporary folder. Sourced with LMTRAIN set.
# shellcheck shell=bash
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

mkdir text
awk '
# Not rand(), which some awks seed anew whatever srand() is given.
function draw() { state = (state * 16807) % 2147483647; return state / 2147483647 }
BEGIN {
  state = 5
  n = split("the of and to in that was his he it with is for as had you not be her on at by which have or from this", w, " ")
  for (d = 0; d < 400; ++d) {
    for (i = 0; i < 60; ++i) printf "%s ", w[int(draw() * draw() * n) + 1]
    print ".\n%"
  }
}' > text/corpus
cat > config.yaml <<'YAML'
run: {name: test, dir: runs, seed: 3}
model: {kind: gpt2, num_layers: 2, num_heads: 2, hidden_size: 32, max_positions: 32, dropout: 0.1}
tokenizer: {kind: bpe, vocab_size: 300}
data: {sources: [{path: text, separator: "%"}], validation_fraction: 0.1, sequence_length: 32}
train: {steps: 40, global_batch_size: 8, micro_batch_size: 2, precision: bf16}
eval: {interval: 20, batches: 2}
checkpoint: {interval: 5, keep: 2}
energy: {interval_seconds: 0.1, region: DEU}
YAML

fail() { echo "FAILED: $*" >&2; exit 1; }

# Waits until a command succeeds, for a minute.
until_true() {
  local i
  for ((i = 0; i < 1200; ++i)); do
    if "$@"; then return; fi
    sleep 0.05
  done
  fail "timed out waiting for: $*"
}

# Runs lmtrain and checks exit code and output: expect CODE PATTERN ARGUMENT...
expect() {
  local want=$1 pattern=$2 code=0
  shift 2
  "$LMTRAIN" "$@" > out.log 2>&1 || code=$?
  [ "$code" = "$want" ] || fail "exit code $code, expected $want, of: $* ($(tail -3 out.log))"
  grep -q -- "$pattern" out.log || fail "'$pattern' is not in the output of: $* ($(tail -3 out.log))"
}

# The folder of a run's newest checkpoint.
newest_checkpoint() { find "runs/$1/checkpoints" -name 'step-*' | sort | tail -1; }

# Damages the first file of tensors in a folder.
flip_a_byte() {
  local file
  file=$(find "$1" -name 'rank-*.h5' | sort | head -1)
  printf '\xff' | dd of="$file" bs=1 seek=3000 conv=notrunc status=none
}

# What must repeat bit for bit: per step loss, gradient norm, learning rate and data; and the stored tensors.
trace() {
  grep '"data_hash"' "runs/$1/metrics.jsonl" | sed -E 's/"(attempt|matmul_share|step_seconds|time|tokens_per_second|watts)":[^,}]*,?//g'
  grep '"xxh3"' "runs/$1/checkpoints/step-$(printf %08d "$2")/manifest.json"
}

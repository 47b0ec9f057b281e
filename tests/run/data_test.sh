#!/usr/bin/env bash
# Defect: documents that leak into each other; a validation that sees one of two sources; text of which nothing falls
# into validation.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

# The last loss values of a run's metrics, averaged: mean NAME COUNT.
mean() { grep -o '"loss":[0-9.e-]*' "runs/$1/metrics.jsonl" | tail -"$2" | awk -F: '{ sum += $2 } END { print sum / NR }'; }

# Each document begins with a digit that follows from the document before it, and is 5 to 21 letters of the alphabet long.
# Where documents are apart, digit and length cannot be known: (ln 10 + ln 17) / 15 = 0.342 nats a token, 0.3396 by the
# counts of these 6,000.
awk 'function draw() { state = (state * 16807) % 2147483647; return state / 2147483647 }
  BEGIN { state = 1; for (i = 1; i <= 6000; ++i) printf "%d%s\n%%\n", i % 10, substr("abcdefghijklmnopqrstu", 1, 5 + int(17 * draw())) }' > digits
cat > digits.yaml <<'YAML'
run: {dir: runs}
model: {kind: gpt2, num_layers: 2, num_heads: 2, hidden_size: 64, max_positions: 128, dropout: 0.0}
tokenizer: {vocab_size: 257}
data: {sources: [{path: digits, separator: "%"}], validation_fraction: 0, sequence_length: 128}
train: {steps: 300, global_batch_size: 16}
optimizer: {lr: 0.003}
energy: {region: DEU}
YAML
expect 0 report digits.yaml run.name=apart data.isolate_documents=true
expect 0 report digits.yaml run.name=joined data.isolate_documents=false
awk -v apart="$(mean apart 50)" -v joined="$(mean joined 50)" 'BEGIN { exit !(apart > 0.338 && apart < 0.36 && joined < 0.3) }' ||
  fail "loss of isolated documents $(mean apart 50), of joined ones $(mean joined 50)"

# Two sources, one of them a single document: each has its own loss, whichever comes first.
head -200 text/corpus | tr 'a-z' 'n-za-m' > other
for order in "{path: text, separator: '%'}, {path: other}" "{path: other}, {path: text, separator: '%'}"; do
  expect 0 "text [0-9.]*" config.yaml run.name=two train.steps=0 "data.sources=[$order]"
  grep -q 'Validation loss of other' runs/two/report.md || fail "the report does not tell the loss of each source"
  rm -r runs/two
done
# One document: its last part is for validation.
expect 0 "the last 0.1 of its text is for validation" config.yaml run.name=one train.steps=1 "data.sources=[{path: other}]"

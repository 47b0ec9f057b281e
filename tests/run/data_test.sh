#!/usr/bin/env bash
# Defect: documents that leak into each other; a validation that sees one of two sources; text of which nothing falls
# into validation; what should have been said of the text and was not.
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
train: {steps: 300, global_batch_size: 16, precision: auto}  # bf16 takes minutes where the processor has none
optimizer: {lr: 0.003}
energy: {region: DEU}
YAML
expect 0 report digits.yaml run.name=apart data.isolate_documents=true
expect 0 report digits.yaml run.name=joined data.isolate_documents=false
awk -v apart="$(mean apart 50)" -v joined="$(mean joined 50)" 'BEGIN { exit !(apart > 0.338 && apart < 0.36 && joined < 0.3) }' ||
  fail "loss of isolated documents $(mean apart 50), of joined ones $(mean joined 50)"

# Two sources, one of them a single document: each has its own loss, whichever comes first.
head -200 text/corpus | tr '[:lower:]' 'n-za-m' > other
for order in "{path: text, separator: '%'}, {path: other}" "{path: other}, {path: text, separator: '%'}"; do
  expect 0 "text [0-9.]*" config.yaml run.name=two train.steps=0 "data.sources=[$order]"
  grep -q 'Validation loss of other' runs/two/report.md || fail "the report does not tell the loss of each source"
  rm -r runs/two
done
# One document: its last part is for validation.
expect 0 "the last 0.1 of its text is for validation" config.yaml run.name=one train.steps=1 "data.sources=[{path: other}]"

# How much text there is, and how often the run reads it.
expect 0 "text: [0-9]* documents of [0-9,]* tokens for training, [0-9]* documents .* 40 steps read [0-9.]* times" config.yaml run.name=said
# A separator that no line is equal to, or that no line can be.
expect 0 "separator \"%%\" cuts no file" config.yaml run.name=uncut train.steps=1 "data.sources=[{path: text, separator: '%%'}]"
expect 64 "holds a line break" config.yaml run.name=never 'data.sources=[{path: text, separator: "\n"}]'
# A vocabulary that the text cannot fill.
expect 0 "entries, not the 50,257" config.yaml run.name=small train.steps=1 tokenizer.vocab_size=50257
# What is left out, with its place.
mkdir mixed
cp text/corpus mixed
printf 'a\377b' > mixed/broken
expect 65 "mixed/broken, byte 1: invalid UTF-8" config.yaml run.name=mixed "data.sources=[{path: mixed}]"
expect 0 "left out (data.utf8); first: mixed/broken, byte 1" config.yaml run.name=mixed train.steps=1 data.utf8=skip \
  "data.sources=[{path: mixed, separator: '%'}]"

# A source that holds the cache and the runs: left out, so that the run can be extended; one within them is refused.
mkdir here
cp text/corpus here
here=(config.yaml run.name=here run.dir=here/runs data.cache=here/cache "data.sources=[{path: here, separator: '%'}]")
expect 0 report "${here[@]}" train.steps=5
expect 0 "leaving out here/runs" "${here[@]}" train.steps=10
grep -q "continuing from" out.log || fail "a run whose source holds the run began anew"
expect 65 "lies in .*cache" config.yaml run.name=within "data.sources=[{path: cache}]"

# Text that was added before a resume is other text, not another tokenizer.
mkdir grows
cp text/corpus grows
expect 0 report config.yaml run.name=grows train.steps=5 "data.sources=[{path: grows, separator: '%'}]"
sed "s/the/these/g" text/corpus >> grows/corpus
expect 64 "was trained on other text" config.yaml run.name=grows train.steps=10 "data.sources=[{path: grows, separator: '%'}]"

# Numbers whose products overflow.
expect 64 "eval.batches" config.yaml run.name=x eval.batches=4611686018427387904
expect 64 "more tokens than can be counted" config.yaml run.name=x train.steps=274877906944 train.global_batch_size=16777216 \
  train.micro_batch_size=1 data.sequence_length=16 model.max_positions=32

#!/usr/bin/env bash
# Defect: a strict resume goes on otherwise; weights alone keep or lose the wrong things; a change that resume.allow names is refused,
# or one that it does not name is not.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

quiet=(eval.interval=0 eval.samples=0 parallel.threads=1)
"$LMTRAIN" config.yaml "${quiet[@]}" train.steps=10 > out.log 2>&1 || fail "$(tail -3 out.log)"
mv runs/test/checkpoints/step-00000010 whole
rm runs/test/summary.json

# strict: all that changes a bit or the course is refused, and nothing else is.
expect 64 "resume.mode = strict, but the run would not go on from .* to the last bit: threads of rank 0: 1 before, 2 now" \
  config.yaml "${quiet[@]}" parallel.threads=2 resume.mode=strict train.steps=10
expect 64 "train.steps (10 in the checkpoint, 20 now); set them back, or use resume.mode=elastic" \
  config.yaml "${quiet[@]}" resume.mode=strict train.steps=20
"$LMTRAIN" config.yaml "${quiet[@]}" train.steps=10 resume.mode=strict > out.log 2>&1 || fail "a strict resume: $(tail -3 out.log)"
grep '"xxh3": ' runs/test/checkpoints/step-00000010/manifest.json > now
grep '"xxh3": ' whole/manifest.json > before
cmp now before || fail "a strict resume ends with other weights"

# weights: another optimizer goes on from the weights, and keeps its own state from then on.
expect 64 "optimizer.kind (adamw in the checkpoint, muon now).*resume.mode=weights begins with a new optimizer" config.yaml "${quiet[@]}" train.steps=20 optimizer.kind=muon
weights=("${quiet[@]}" resume.mode=weights optimizer.kind=muon)
cp -r runs/test runs/whole
for name in test whole; do
  steps=20
  [ "$name" = test ] && steps=15
  "$LMTRAIN" config.yaml run.name=$name "${weights[@]}" train.steps=$steps schedule.kind=constant_then_decay schedule.decay_fraction=0 > out.log 2>&1 || fail "$(tail -3 out.log)"
  grep -q "continuing from .*, with its weights alone (resume.mode)" out.log || fail "$(cat out.log)"
done
"$LMTRAIN" config.yaml "${weights[@]}" train.steps=20 schedule.kind=constant_then_decay schedule.decay_fraction=0 > out.log 2>&1 || fail "$(tail -3 out.log)"
! grep -q "weights alone" out.log || fail "an optimizer that had begun anew was lost: $(cat out.log)"
trace whole 20 > whole.trace
trace test 20 | cmp - whole.trace || fail "a run with a new optimizer does not go on to the bit"

# allow: other text, another seed; a name that allows nothing is refused.
echo "more of the text" >> text/corpus
expect 64 "was trained on other data .*resume.allow=\[data\]" config.yaml "${weights[@]}" train.steps=22
expect 64 "resume.allow names \"date\", which is not tokenizer, data, .*; did you mean data?" \
  config.yaml "${weights[@]}" train.steps=22 'resume.allow=[date]'
"$LMTRAIN" config.yaml "${weights[@]}" train.steps=22 run.seed=9 'resume.allow=[tokenizer, data, run.seed]' > out.log 2>&1 \
  || fail "allowed changes: $(tail -3 out.log)"
grep -q "the text is not the one of the checkpoint .* which resume.allow accepts" out.log || fail "a change that is allowed is not said: $(cat out.log)"
# Samples are not read twice, or passed over, without a word.
"$LMTRAIN" config.yaml "${weights[@]}" run.name=larger run.seed=9 train.steps=24 run.resume=runs/test/checkpoints/step-00000022 train.global_batch_size=16 \
  'resume.allow=[data, train.global_batch_size]' > out.log 2>&1 || fail "a larger batch: $(tail -3 out.log)"
grep -q "train.global_batch_size was 8 and is 16: .* reads from sample 352 on; the steps before ended at sample 176" out.log \
  || fail "a larger batch is not warned of: $(cat out.log)"
expect 66 "has weights of .* which this model does not have" config.yaml "${weights[@]}" train.steps=24 run.seed=9 model.num_layers=1 \
  'resume.allow=[model]'

# Another run's checkpoint gives its weights alone, whatever mode it was saved in; a merged one has nothing else.
"$LMTRAIN" config.yaml "${weights[@]}" run.name=other run.seed=9 train.steps=24 run.resume=runs/test optimizer.kind=adamw \
  'resume.allow=[tokenizer, data]' > out.log 2>&1 || fail "weights of another run: $(tail -3 out.log)"
grep -q "with its weights alone" out.log || fail "the optimizer of another run is taken: $(cat out.log)"
"$LMTRAIN" checkpoint merge runs/test runs/other --out merged > out.log 2>&1 || fail "$(cat out.log)"
"$LMTRAIN" config.yaml "${weights[@]}" run.name=merged run.seed=9 train.steps=4 run.resume=merged > out.log 2>&1 || fail "a merged checkpoint: $(tail -3 out.log)"

expect 64 "run.seed (9 in the checkpoint, 3 now)" config.yaml "${weights[@]}" train.steps=24 'resume.allow=[data]'

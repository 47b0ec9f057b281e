#!/usr/bin/env bash
# Defect: labelled texts that are weighted, batched or scored differently on other numbers of ranks; a resumed fine-tuning that
# goes another way; a head that cannot be put on a model from elsewhere; labels that the checkpoint forgets.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

"$LMTRAIN" config.yaml run.name=base model.kind=bert tokenizer.kind=wordpiece train.steps=2 train.precision=fp64 eval.interval=0 \
  > base.log 2>&1 || fail "$(tail -3 base.log)"

# The label is whether a word stands in the text, the number how often, the tags where; the answer is the word behind it.
awk '
function draw() { state = (state * 16807) % 2147483647; return state / 2147483647 }
BEGIN {
  state = 7
  n = split("the of and to in that was his he it with is for as had you not be her on at by which have or from this", w, " ")
  print "text\tlabel" > "train.tsv"
  print "text,number" > "numbers.csv"
  for (d = 0; d < 240; ++d) {
    text = ""; tags = ""; tokens = ""; hits = 0; answer = ""; previous = ""
    m = 3 + int(draw() * 12)
    for (i = 0; i < m; ++i) {
      word = w[int(draw() * n) + 1]
      if (i == 1 && d % 3 == 0) word = "his"
      if (i != 1 && word == "his") word = "it"
      if (previous == "his") answer = word
      if (word == "his") ++hits
      text = text (i ? " " : "") word
      tokens = tokens (i ? "," : "") "\"" word "\""
      tags = tags (i ? "," : "") (word == "his" ? "\"B-X\"" : previous == "his" ? "\"I-X\"" : "\"O\"")
      previous = word
    }
    printf "%s\t%s\n", text, hits ? "yes" : "no" > "train.tsv"
    printf "%s,%s\n", text, hits + 0.5 > "numbers.csv"
    printf "{\"tokens\":[%s],\"tags\":[%s]}\n", tokens, tags > "tags.jsonl"
    printf "{\"question\":\"which\",\"context\":\"%s .\",\"answers\":[%s]}\n", text, answer == "" ? "" : "\"" answer "\"" > "questions.jsonl"
  }
}'
cat > tune.yaml <<YAML
task: classification
run: {name: one, dir: runs, seed: 3}
model: {init_from: runs/base, dropout: 0.1}
data: {sources: [{path: train.tsv}], validation_fraction: 0.2, sequence_length: 20}
train: {steps: 24, global_batch_size: 8, micro_batch_size: 2, precision: fp64}
optimizer: {lr: 0.003}
eval: {interval: 12}
checkpoint: {interval: 8}
energy: {interval_seconds: 0.1, region: DEU}
YAML
"$LMTRAIN" tune.yaml > one.log 2>&1 || fail "$(tail -3 one.log)"
grep -q 'lacks labels.weight, labels.bias.*begin anew\|labels.weight.*begin anew' one.log || fail "no word of the new head"
grep -q '"task":"validation","measure":"accuracy"' runs/one/metrics.jsonl || fail "no accuracy in the metrics"
grep -q 'labels: \[no, yes\]\|labels: \["no", "yes"\]' runs/one/config.yaml || grep -A3 'labels:' runs/one/config.yaml | grep -q 'yes' ||
  fail "the labels are not in the config: $(grep -A3 labels runs/one/config.yaml)"
grep -q 'report_labels.svg' runs/one/report.md || fail "no picture of the labels"

# Over ranks, and on a tensor axis: the same losses, gradients and measures.
lines() { grep -o '"loss":[^,]*\|"gradient_norm":[^,]*\|"accuracy":[^,]*\|"f1":[^,]*\|"validation_loss":[^,]*\|"data_hash":[^,}]*' "runs/$1/metrics.jsonl"; }
same() {
  local other=${2:-one}
  paste -d ' ' <(lines "$other") <(lines "$1") | awk -F '[: ]' '
    $1 != $3 { exit 1 }
    $1 == "\"data_hash\"" { if ($2 != $4) exit 1; next }
    { d = $2 - $4; if (d > 1e-9 || d < -1e-9) exit 1 }' || fail "$1 differs from $other: $(paste <(lines "$other") <(lines "$1") | head -4)"
}
mpirun -n 4 "$LMTRAIN" tune.yaml run.name=four > four.log 2>&1 || fail "$(tail -3 four.log)"
same four
mpirun -n 2 "$LMTRAIN" tune.yaml run.name=cut parallel.tensor=2 parallel.sequence=true > cut.log 2>&1 || fail "$(tail -3 cut.log)"
same cut

# Stopped and continued, bit for bit.
"$LMTRAIN" tune.yaml run.name=half train.steps=8 schedule.kind=constant_then_decay schedule.decay_fraction=0 > half.log 2>&1 || fail "$(tail -3 half.log)"
"$LMTRAIN" tune.yaml run.name=half schedule.kind=constant_then_decay schedule.decay_fraction=0 > half.log 2>&1 || fail "$(tail -3 half.log)"
"$LMTRAIN" tune.yaml run.name=whole schedule.kind=constant_then_decay schedule.decay_fraction=0 > whole.log 2>&1 || fail "$(tail -3 whole.log)"
diff <(lines half | tail -20) <(lines whole | tail -20) || fail "a resumed fine-tuning differs"

# A part is trained, at rates by layer: on four ranks that share all as on one, and continued bit for bit.
part=(train.freeze='[embedding.*,blocks.0.*,blocks.1.*.bias]' optimizer.layer_decay=0.8 schedule.kind=constant_then_decay schedule.decay_fraction=0)
"$LMTRAIN" tune.yaml run.name=part "${part[@]}" > part.log 2>&1 || fail "$(tail -3 part.log)"
mpirun -n 4 "$LMTRAIN" tune.yaml run.name=shards "${part[@]}" parallel.zero=3 parallel.tensor=2 > shards.log 2>&1 || fail "$(tail -3 shards.log)"
same shards part
"$LMTRAIN" tune.yaml run.name=part-half "${part[@]}" train.steps=8 > part.log 2>&1 || fail "$(tail -3 part.log)"
"$LMTRAIN" tune.yaml run.name=part-half "${part[@]}" > part.log 2>&1 || fail "$(tail -3 part.log)"
diff <(lines part-half | tail -20) <(lines part | tail -20) || fail "a run that is frozen in part is continued another way"
[ "$("$LMTRAIN" checkpoint diff runs/half/checkpoints/step-00000024 runs/part/checkpoints/step-00000024 | grep -c embedding.token)" -ge 1 ] ||
  fail "the frozen embedding is that of a run that trains it"
expect 64 "no parameter of this model is named .block.0.attention.norm.weight., did you mean blocks.0.attention.norm.weight" tune.yaml run.name=none train.freeze='[block.0.attention.norm.weight]'
expect 64 "leaves nothing to train" tune.yaml run.name=none train.freeze='["*"]'
expect 64 "fixed\|train.freeze" tune.yaml run.name=part train.steps=30 train.freeze='[embedding.*]'

# Adapters: on ranks that share all as on one, continued bit for bit, and merged into weights that say the same.
expect 64 "lora.rank = 4096 is more than the rank of the weights" tune.yaml run.name=none lora.rank=4096
lora=(lora.rank=2 optimizer.lr=0.02 schedule.kind=constant_then_decay schedule.decay_fraction=0)
"$LMTRAIN" tune.yaml run.name=lora "${lora[@]}" > lora.log 2>&1 || fail "$(tail -3 lora.log)"
grep -q "parameters, [0-9,]* of them trained" lora.log || fail "the log does not say how much is trained"
mpirun -n 4 "$LMTRAIN" tune.yaml run.name=lora4 "${lora[@]}" parallel.zero=3 parallel.tensor=2 parallel.sequence=true > lora.log 2>&1 || fail "$(tail -3 lora.log)"
same lora4 lora
"$LMTRAIN" tune.yaml run.name=lora-half "${lora[@]}" train.steps=8 > lora.log 2>&1 || fail "$(tail -3 lora.log)"
"$LMTRAIN" tune.yaml run.name=lora-half "${lora[@]}" > lora.log 2>&1 || fail "$(tail -3 lora.log)"
diff <(lines lora-half | tail -20) <(lines lora | tail -20) || fail "a run of adapters is continued another way"
"$LMTRAIN" export runs/lora merged > out.log 2>&1 || fail "$(tail -3 out.log)"
"$LMTRAIN" import merged merged-again > out.log 2>&1 || fail "$(tail -3 out.log)"
"$LMTRAIN" export runs/lora adapter --adapter > out.log 2>&1 || fail "$(tail -3 out.log)"
grep -q '"r": 2' adapter/adapter_config.json || fail "the adapters' config: $(cat adapter/adapter_config.json)"
for from in runs/lora merged-again; do
  "$LMTRAIN" predict "$from" --text "of his and" 2> /dev/null | grep -o '"probabilities.*' | grep -o '0\.[0-9]\{6\}'
done > said.txt
[ "$(wc -l < said.txt)" -ge 4 ] && [ "$(sort -u said.txt | wc -l)" = "$(($(wc -l < said.txt) / 2))" ] || fail "merged weights say something else: $(cat said.txt)"
expect 0 "report" tune.yaml run.name=lora-on lora.init_from=adapter train.steps=4
expect 64 "lora.alpha has no effect without adapters" tune.yaml run.name=none lora.alpha=3
expect 64 "there is no layer q_proj; this model has attention.self.query, " tune.yaml run.name=none lora.rank=2 lora.targets='[q_proj]'
expect 64 "lora.rank = 4, but adapter has 2" tune.yaml run.name=none lora.rank=4 lora.init_from=adapter

# A run ends early by its measure, keeps the best checkpoint by it, and stays ended.
early=(eval.interval=4 checkpoint.interval=4 checkpoint.keep=1 checkpoint.keep_best=1 eval.measure=accuracy eval.patience=2 train.steps=400)
expect 0 "The run ended early, after step .* the accuracy was no better than .* first reached after step .* (eval.patience)" tune.yaml run.name=early "${early[@]}"
best=$(sed -n 's/.*no better than [0-9.]*, first reached after step \([0-9]*\) .*/\1/p' runs/early/log.txt | head -1)
python3 - << 'PY' || fail "the best checkpoint is gone: $(ls runs/early/checkpoints)"
import glob, json
lines = [json.loads(line) for line in open("runs/early/metrics.jsonl")]
saved = [line["accuracy"] for line in lines if line.get("task") == "validation" and line["step"] > 0]
kept = [json.load(open(name))["measured"] for name in glob.glob("runs/early/checkpoints/*/manifest.json")]
assert max(one["value"] for one in kept) == max(saved) and all(one["measure"] == "accuracy" for one in kept), (saved, kept)
PY
grep -q "The run ended early" runs/early/report.md || fail "the report does not say that the run ended early"
expect 0 "has ended early (eval.patience = 2)" tune.yaml run.name=early "${early[@]}"
mpirun -n 2 "$LMTRAIN" tune.yaml run.name=early2 "${early[@]}" > out.log 2>&1 || fail "$(tail -3 out.log)"
[ "$(grep -c data_hash runs/early/metrics.jsonl)" = "$(grep -c data_hash runs/early2/metrics.jsonl)" ] || fail "two ranks end early elsewhere"
expect 0 "continuing from" tune.yaml run.name=early "${early[@]}" eval.patience=0 train.steps=$((best + 16))
expect 64 "eval.measure = acuracy is not measured with task = classification, did you mean accuracy? (measured: loss, accuracy" tune.yaml run.name=none eval.measure=acuracy

# Its card says what it does, and how well; what only people know is asked for.
"$LMTRAIN" card runs/one report.licence=MIT --out card.md 2> card.log || fail "$(tail -3 card.log)"
for line in 'pipeline_tag: text-classification' 'license: "mit"\|license: mit' 'type: accuracy' '  training_type: fine-tuning' '^| validation, f1 | 0' \
  'It began with the weights of `runs/base`. Labels: no, yes' '^| Emissions of the electricity' '(`report.limits`)'; do
  grep -q "$line" card.md || fail "the card does not say $line: $(head -60 card.md)"
done
grep -q 'report.languages, report.intended_use' card.log && ! grep -q 'report.licence' card.log || fail "what the card lacks is not said: $(cat card.log)"

# The trained model is asked, exported, and trained on for other labels.
"$LMTRAIN" predict runs/one --text "he his it" > out.log 2>&1 || fail "$(tail -3 out.log)"
grep -q '"label":"\(no\|yes\)"' out.log || fail "no label: $(cat out.log)"
"$LMTRAIN" export runs/one exported > out.log 2>&1 || fail "$(tail -3 out.log)"
grep -q '"yes"' exported/config.json || fail "the exported model has no labels"
sed 's/\tyes$/\tmaybe/; s/\tno$/\tno/' train.tsv > three.tsv
printf 'of of\tnever\nthe of\tnever\nof the\tnever\nof and\tnever\nto of\tnever\n' >> three.tsv
expect 0 "labels.weight, labels.bias, which begin anew" tune.yaml run.name=three model.init_from=exported \
  'data.sources=[{path: three.tsv}]' 'model.labels=[maybe, never, no]' train.steps=2 data.labelled.balanced=true
expect 65 "three.tsv:.* the label 'maybe' is not one of 'no', 'yes' (model.labels, or else those of the model" tune.yaml run.name=wrong model.init_from=exported \
  'data.sources=[{path: three.tsv}]'

# A head of another task, or of other labels, begins anew, even where it has the same shape.
expect 0 "labels.weight, labels.bias, which begin anew" tune.yaml run.name=other model.init_from=runs/one 'model.labels=[yes, no]' train.steps=1 eval.interval=0
expect 0 "labels.weight, labels.bias, which begin anew" tune.yaml run.name=asks model.init_from=runs/one task=question_answering \
  'data.sources=[{path: questions.jsonl}]' train.steps=1 eval.interval=0
expect 64 "eval.tasks has no effect with task = classification" tune.yaml run.name=wrong 'eval.tasks=[{task: pairs, path: x.jsonl}]'
expect 64 "data.labelled.class_weights are all 0" tune.yaml run.name=wrong 'data.labelled.class_weights=[0, 0]'
expect 64 "data.labelled.tokens has no effect with task = classification" tune.yaml run.name=wrong data.labelled.tokens=words

# The other tasks.
expect 0 "task validation  pearson" tune.yaml run.name=numbers task=regression 'data.sources=[{path: numbers.csv}]' \
  data.labelled.label=number train.steps=4
expect 0 "task validation  span_f1" tune.yaml run.name=tags task=tagging 'data.sources=[{path: tags.jsonl}]' train.steps=4
expect 0 "task validation  answer_f1" tune.yaml run.name=answers task=question_answering 'data.sources=[{path: questions.jsonl}]' \
  data.labelled.stride=4 train.steps=4
mpirun -n 2 "$LMTRAIN" tune.yaml run.name=answers2 task=question_answering 'data.sources=[{path: questions.jsonl}]' \
  data.labelled.stride=4 train.steps=4 parallel.zero=2 > out.log 2>&1 || fail "$(tail -3 out.log)"
[ "$(grep -o '"answer_f1":[^,}]*' runs/answers/metrics.jsonl | tail -1)" = "$(grep -o '"answer_f1":[^,}]*' runs/answers2/metrics.jsonl | tail -1)" ] ||
  fail "answers of two ranks differ"
"$LMTRAIN" predict runs/answers --text which --pair "he his it" | grep -q '"answer"' || fail "no answer"
# A decoder classifies by its last token.
"$LMTRAIN" config.yaml run.name=gpt train.steps=2 eval.interval=0 > out.log 2>&1 || fail "$(tail -3 out.log)"
expect 0 "task validation  accuracy" tune.yaml run.name=decoder model.init_from=runs/gpt train.steps=4

# What cannot be is said.
expect 64 "model.head = token_classification does not go with task = classification" tune.yaml run.name=wrong model.head=token_classification
expect 64 "is trained on labelled texts: set task to tagging" config.yaml run.name=wrong model.kind=bert tokenizer.kind=wordpiece model.head=token_classification
expect 64 "data.labelled.label has no effect with task = language_modeling" config.yaml run.name=wrong data.labelled.label=x
expect 64 "needs a tokenizer" config.yaml run.name=wrong task=classification 'data.sources=[{path: train.tsv}]'
expect 65 "there is no column 'label'" tune.yaml run.name=wrong 'data.sources=[{path: numbers.csv}]'
expect 64 "data.validation_fraction has no effect with data.labelled.held_out" tune.yaml run.name=wrong 'data.labelled.held_out=[three.tsv]'
sed 's/validation_fraction: 0.2, //' tune.yaml > held.yaml
expect 65 "nowhere.tsv does not exist" held.yaml run.name=wrong 'data.labelled.held_out=[nowhere.tsv]'
head -40 train.tsv > held.tsv
expect 0 "240 labelled samples of at most .* tokens for training, 39 samples for validation" held.yaml run.name=held \
  'data.labelled.held_out=[held.tsv]' train.steps=2
expect 0 "labels      no, yes" prepare tune.yaml

# The config that a run leaves, which names every key, can be given again.
for run in base one part lora early numbers tags answers; do
  "$LMTRAIN" "runs/$run/config.yaml" > again.log 2>&1 && grep -q "extends it" again.log || fail "the config of $run cannot be given again: $(tail -1 again.log)"
done
echo "labelled texts are learned from, alike on all ranks"

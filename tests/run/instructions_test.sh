#!/usr/bin/env bash
# Defect: answers that are weighted or packed differently on other numbers of ranks; what is asked learned as well; a template or an
# end of answers that the checkpoint forgets; a next phase that loses the optimizer or counts its updates anew.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

"$LMTRAIN" config.yaml run.name=base train.steps=2 train.precision=fp64 eval.interval=0 model.dropout=0 model.max_positions=64 \
  > base.log 2>&1 || fail "$(tail -3 base.log)"
printf '%s' "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}a:{% endif %}" \
  > chat.jinja
# Each question has its answer; some chats go on.
awk 'BEGIN {
  n = split("the of and to in that was his", w, " ")
  for (d = 0; d < 96; ++d) {
    q = w[d % n + 1]; a = w[(d + 3) % n + 1]
    line = "{\"role\":\"user\",\"content\":\"" q "\"},{\"role\":\"assistant\",\"content\":\"" a "\"}"
    if (d % 3 == 0) line = line "," line
    print "{\"messages\":[" line "]}" > "chats.jsonl"
  }
  for (d = 0; d < 8; ++d)
    printf "%s,%s\n", (d ? w[d + 1] : "ask"), (d ? w[(d + 3) % n + 1] : "say") > "pairs.csv"
}'
cat > tune.yaml <<YAML
task: instruction_tuning
run: {name: one, dir: runs, seed: 3}
model: {init_from: runs/base}
data:
  sources: [{path: chats.jsonl}]
  validation_fraction: 0.2
  sequence_length: 48
  labelled: {chat_template: chat.jinja}
train: {steps: 160, global_batch_size: 8, micro_batch_size: 1, precision: fp64}
optimizer: {lr: 0.01}
schedule: {warmup_ratio: 0.05}
eval: {interval: 80, samples: 2, sample_tokens: 8}
checkpoint: {interval: 40}
energy: {interval_seconds: 0.1, region: DEU}
YAML

# What is learned is shown, before a step is made.
"$LMTRAIN" prepare tune.yaml --show 2 > shown.log 2>&1 || fail "$(tail -3 shown.log)"
grep -q 'u:[a-z]*<|endoftext|>a:>>[a-z]*<|endoftext|><<' shown.log || fail "not the answer alone is learned: $(cat shown.log)"

# On one rank or four that share all, and on a tensor axis that cuts rows: the same; and continued bit for bit.
"$LMTRAIN" tune.yaml > one.log 2>&1 || fail "$(tail -3 one.log)"
lines() { grep -o '"loss":[^,]*\|"gradient_norm":[^,]*\|"validation_loss":[^,]*\|"data_hash":[^,}]*' "runs/$1/metrics.jsonl"; }
same() {  # rounding grows with the steps
  paste -d ' ' <(lines one | head -40) <(lines "$1" | head -40) | awk -F '[: ]' '
    $1 != $3 { exit 1 }
    $1 == "\"data_hash\"" { if ($2 != $4) exit 1; next }
    { d = $2 - $4; if (d > 1e-9 || d < -1e-9) exit 1 }' || fail "$1 differs from one: $(paste <(lines one) <(lines "$1") | head -4)"
}
mpirun -n 4 "$LMTRAIN" tune.yaml run.name=four parallel.tensor=2 parallel.sequence=true parallel.zero=3 > four.log 2>&1 || fail "$(tail -3 four.log)"
same four
"$LMTRAIN" tune.yaml run.name=whole schedule.kind=constant_then_decay schedule.decay_fraction=0 schedule.warmup_ratio=0 > whole.log 2>&1 || fail "$(tail -3 whole.log)"
"$LMTRAIN" tune.yaml run.name=split schedule.kind=constant_then_decay schedule.decay_fraction=0 schedule.warmup_ratio=0 train.steps=40 > split.log 2>&1 || fail "$(tail -3 split.log)"
"$LMTRAIN" tune.yaml run.name=split schedule.kind=constant_then_decay schedule.decay_fraction=0 schedule.warmup_ratio=0 > split.log 2>&1 || fail "$(tail -3 split.log)"
diff <(lines split | tail -20) <(lines whole | tail -20) || fail "a resumed run differs"

# The report shows questions of the validation with answers, and the model answers as it was taught, up to the end.
grep -q '(right: ' runs/one/report.md || fail "no answers in the report: $(grep -A5 -i sample runs/one/report.md)"
answers=0
for pair in of:in and:that to:was in:his; do
  "$LMTRAIN" generate runs/one --chat --prompt "${pair%:*}" --temperature 0 --max-new-tokens 8 --json > out.log 2> err.log || fail "$(tail -3 err.log)"
  grep -q '"finish_reason":"stop"' out.log || fail "an answer does not end: $(cat out.log)"
  if grep -q "\"text\":\"${pair#*:}\"" out.log; then answers=$((answers + 1)); fi
done
[ "$answers" -ge 3 ] || fail "of four answers $answers are right: $(cat out.log)"
"$LMTRAIN" export runs/one exported > out.log 2>&1 || fail "$(tail -3 out.log)"
cmp -s chat.jinja exported/chat_template.jinja || fail "the exported model has no chat template: $(ls exported)"

# Columns of a table, made into prompts; one text a sequence. All eight are in each batch, so that a next phase goes on where a longer
# run would: with the optimizer, and with its count of updates.
phase=(data.sources='[{path: pairs.csv}]' data.validation_fraction=0 'data.labelled.chat_template=""' 'data.labelled.prompt="{ask} ="'
  'data.labelled.completion=" {say}"' data.labelled.pack=false train.global_batch_size=7 eval.interval=0 eval.samples=0
  schedule.kind=constant_then_decay schedule.decay_fraction=0 schedule.warmup_ratio=0 schedule.warmup_steps=0 train.steps=8)
"$LMTRAIN" tune.yaml run.name=long "${phase[@]}" > out.log 2>&1 || fail "$(tail -3 out.log)"
"$LMTRAIN" tune.yaml run.name=first "${phase[@]}" train.steps=5 > out.log 2>&1 || fail "$(tail -3 out.log)"
"$LMTRAIN" tune.yaml run.name=second "${phase[@]}" train.steps=3 run.continue_from=runs/first > out.log 2>&1 || fail "$(tail -3 out.log)"
losses() { grep -o '"loss":[^,]*' "runs/$1/metrics.jsonl" | cut -d: -f2; }
paste -d ' ' <(losses long | tail -3) <(losses second) | awk 'NF != 2 || $1 - $2 > 1e-10 || $2 - $1 > 1e-10 { exit 1 } END { if (NR != 3) exit 1 }' ||
  fail "a next phase goes another way: $(paste <(losses long | tail -3) <(losses second))"
# What may change does, and is said, with the rates on both sides; what would need another model is refused.
"$LMTRAIN" tune.yaml run.name=third "${phase[@]}" run.continue_from=runs/second run.seed=4 data.sequence_length=32 optimizer.lr=0.001 > out.log 2>&1 || fail "$(tail -3 out.log)"
grep -q "changed since the phase before: data.sequence_length (48 before, 32 now)" out.log || fail "no word of the change: $(cat out.log)"
grep -q "the learning rate was 0.01 at step 3, the last of the phase before; it is 0.001 at step 1 now" out.log || fail "no word of the rates: $(cat out.log)"
expect 64 "run.continue_from = runs/second was made with another config: optimizer.betas (.* before, .* now); set them back, or name them in resume.allow" \
  tune.yaml run.name=none "${phase[@]}" run.continue_from=runs/second 'optimizer.betas=[0.8, 0.9]'
expect 64 "has checkpoints of its own and did not begin with that one" tune.yaml run.name=third "${phase[@]}" run.continue_from=runs/first run.seed=4 data.sequence_length=32 train.steps=9
expect 64 "leave one of them out" tune.yaml run.name=none "${phase[@]}" run.continue_from=runs/second run.resume=runs/first
expect 66 "run.continue_from: there is no checkpoint at runs/nowhere" tune.yaml run.name=none "${phase[@]}" run.continue_from=runs/nowhere
# A phase is resumed as any run, with its own steps.
"$LMTRAIN" tune.yaml run.name=second "${phase[@]}" train.steps=3 run.continue_from=runs/first > out.log 2>&1 || fail "$(tail -3 out.log)"
grep -q "has finished its 3 steps" out.log || fail "$(cat out.log)"
"$LMTRAIN" tune.yaml run.name=second "${phase[@]}" train.steps=5 run.continue_from=runs/first > out.log 2>&1 || fail "$(tail -3 out.log)"
grep -q "continuing from runs/second/checkpoints/step-00000003" out.log || fail "$(cat out.log)"

# Errors.
expect 65 "chats.jsonl:1: the model came with no chat template" tune.yaml run.name=none 'data.labelled.chat_template=""'
expect 65 "data.labelled.chat_template: none.jinja does not exist" tune.yaml run.name=none data.labelled.chat_template=none.jinja
expect 65 "pairs.csv:1: there is no column 'prompt'; the columns are ask, say" tune.yaml run.name=none data.sources='[{path: pairs.csv}]'
"$LMTRAIN" runs/one/config.yaml > out.log 2>&1 && grep -q "has finished" out.log || fail "the config of the run cannot be given again: $(tail -3 out.log)"
expect 64 "data.isolate_documents = false does not go with data.labelled.pack" tune.yaml run.name=none data.isolate_documents=false
expect 64 "schedule.warmup_steps has no effect with schedule.warmup_ratio" tune.yaml run.name=none schedule.warmup_steps=3
expect 64 "data.labelled.text has no effect with task = instruction_tuning" tune.yaml run.name=none data.labelled.text=x

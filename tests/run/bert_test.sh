#!/usr/bin/env bash
# Defect: masks, pairs or means that depend on the number of ranks; a resumed BERT that goes another way; an export or import
# that changes a number; heads that cannot be put on an encoder from elsewhere.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

bert=(config.yaml model.kind=bert model.head=pretraining data.pairs=next_sentence tokenizer.kind=wordpiece
  train.precision=fp64 train.steps=8 eval.interval=4 checkpoint.interval=4)
losses() { grep -o '"loss":[^,]*\|"sentence_loss":[^,]*\|"data_hash":[^,}]*\|"masked_accuracy":[^,]*' "runs/$1/metrics.jsonl"; }

"$LMTRAIN" "${bert[@]}" run.name=one > one.log 2>&1 || fail "$(tail -3 one.log)"
grep -q 'sentence_accuracy' runs/one/metrics.jsonl || fail "no accuracy of pairs in the metrics"
mpirun -n 4 "$LMTRAIN" "${bert[@]}" run.name=four > four.log 2>&1 || fail "$(tail -3 four.log)"
paste -d ' ' <(losses one) <(losses four) | awk -F '[: ]' '
  $1 != $3 { exit 1 }
  $1 == "\"data_hash\"" { if ($2 != $4) exit 1; next }
  { d = $2 - $4; if (d > 1e-9 || d < -1e-9) exit 1 }' || fail "four ranks differ from one: $(paste <(losses one) <(losses four))"

# Bit for bit: stopped half-way and continued.
"$LMTRAIN" "${bert[@]}" run.name=half train.steps=4 schedule.kind=constant_then_decay schedule.decay_fraction=0 > half.log 2>&1 || fail "$(tail -3 half.log)"
"$LMTRAIN" "${bert[@]}" run.name=half schedule.kind=constant_then_decay schedule.decay_fraction=0 > half.log 2>&1 || fail "$(tail -3 half.log)"
"$LMTRAIN" "${bert[@]}" run.name=whole schedule.kind=constant_then_decay schedule.decay_fraction=0 > whole.log 2>&1 || fail "$(tail -3 whole.log)"
diff <(trace half 8) <(trace whole 8) || fail "a resumed BERT differs"

# Masked tokens alone, static masks, whole words, bytes; and norms before.
"$LMTRAIN" config.yaml model.kind=bert model.norm_position=before data.masking.dynamic=false data.duplicates=3 \
  data.masking.whole_words=true data.isolate_documents=true train.steps=3 run.name=bytes > bytes.log 2>&1 || fail "$(tail -3 bytes.log)"
grep -q 'predicted' bytes.log || fail "no accuracy in the log"

for run in one bytes; do
  "$LMTRAIN" export "runs/$run" "$run.out" > out.log 2>&1 || fail "export of $run: $(cat out.log)"
  "$LMTRAIN" import "$run.out" "$run.in" > out.log 2>&1 || fail "import of $run: $(cat out.log)"
  "$LMTRAIN" export "$run.in" "$run.again" > out.log || fail "second export of $run"
  diff -r "$run.out" "$run.again" || fail "$run: import and export changed a file"
  "$LMTRAIN" score "$run.in" --text "the of and to" | grep -q '"log_probability"' || fail "score of $run"
done

# The encoder goes on with another head.
grep -vE '^(model|tokenizer):' config.yaml > from.yaml
"$LMTRAIN" from.yaml model.init_from=bytes.out model.head=pretraining data.pairs=sentence_order run.name=more train.steps=2 > out.log 2>&1 ||
  fail "init_from with another head: $(tail -3 out.log)"
grep -q 'lacks pooler.weight, pooler.bias, sentence.weight, sentence.bias' out.log || fail "new heads are not named"
"$LMTRAIN" from.yaml model.init_from=one.out model.head=language_model run.name=less train.steps=2 > out.log 2>&1 ||
  fail "init_from with fewer heads: $(tail -3 out.log)"

expect 64 "data.pairs" config.yaml model.kind=bert model.head=pretraining run.name=x
expect 64 "data.pairs" config.yaml data.pairs=next_sentence run.name=x
expect 64 "masking.whole_words" config.yaml data.masking.whole_words=true run.name=x
expect 64 "data.duplicates" config.yaml model.kind=bert data.duplicates=2 run.name=x
expect 64 "wordpiece" config.yaml tokenizer.kind=wordpiece run.name=x
expect 64 "model.head" config.yaml model.kind=bert model.head=none run.name=x
expect 64 "isolate_documents" config.yaml model.kind=bert model.head=pretraining data.pairs=sentence_order data.isolate_documents=true run.name=x
expect 64 "masked tokens" generate runs/one --prompt "the"

#!/usr/bin/env bash
# Defect: an export or import that changes a number, a name or a type; weights that a run does not begin with.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

llama=(model.kind=llama model.num_heads=4 model.num_kv_heads=2 model.qk_norm=true model.feed_forward_size=48)
"$LMTRAIN" config.yaml run.name=gpt2 train.steps=5 > gpt2.log 2>&1 || fail "$(tail -3 gpt2.log)"
"$LMTRAIN" config.yaml run.name=llama train.steps=5 data.isolate_documents=true train.z_loss=0.0001 "${llama[@]}" > llama.log 2>&1 ||
  fail "$(tail -3 llama.log)"

# The model, and with it its tokenizer, comes from a folder.
grep -vE '^(model|tokenizer):' config.yaml > from.yaml

score() { "$LMTRAIN" score "$1" --text "the of and to" | sed 's/"checkpoint":"[^"]*",//'; }

for kind in gpt2 llama; do
  "$LMTRAIN" export "runs/$kind" "$kind.out" > out.log || fail "export of $kind"
  "$LMTRAIN" import "$kind.out" "$kind.in" > out.log || fail "import of $kind"
  "$LMTRAIN" export "$kind.in" "$kind.again" > out.log || fail "second export of $kind"
  diff -r "$kind.out" "$kind.again" || fail "$kind: import and export changed a file"
  for type in bfloat16 float16; do
    "$LMTRAIN" export "runs/$kind" "$kind.$type" --type "$type" --max-file-bytes 20000 > out.log || fail "export of $kind in $type"
    [ -e "$kind.$type/model.safetensors.index.json" ] || fail "one file, though --max-file-bytes asked for more"
    "$LMTRAIN" import "$kind.$type" "$kind.$type.in" > out.log || fail "import of $kind in $type"
    "$LMTRAIN" export "$kind.$type.in" "$kind.$type.again" --max-file-bytes 20000 > out.log || fail "second export of $kind in $type"
    diff -r "$kind.$type" "$kind.$type.again" || fail "$kind: import and export changed a file of $type"
  done
  # The weights of a bf16 run are fp32: its import computes in fp32 and says nearly the same.
  score "$kind.in" | grep -q '"ids":\[0,' || fail "the imported $kind does not begin a text as its training did"
  # A tokenizer that puts no token in front: none, as in transformers, unless asked for.
  mkdir "$kind.plain"
  cp "$kind.out"/* "$kind.plain"
  sed -i 's/"post_processor":{.*},"decoder"/"post_processor":null,"decoder"/' "$kind.plain/tokenizer.json"
  "$LMTRAIN" import "$kind.plain" "$kind.plain.in" > out.log || fail "import of $kind without a post-processor"
  with=$("$LMTRAIN" score "$kind.in" --text "the of and to" --no-start-token | sed 's/"checkpoint":"[^"]*",//')
  [ "$(score "$kind.plain.in")" = "$with" ] || fail "a start token for a tokenizer without one: $(score "$kind.plain.in")"
  expect 0 '"ids":\[0,' score "$kind.plain.in" --text "the of" --start-token "<|endoftext|>"
  expect 0 '"ids":\[5,' score "$kind.plain.in" --text "the of" --start-token 5
  expect 65 "start-token" generate "$kind.plain.in"
  expect 64 "neither a special token" score "$kind.plain.in" --text "the of" --start-token "<s>"
  # A run that begins with a folder, or with a checkpoint, has its weights: no step changes none.
  "$LMTRAIN" from.yaml model.init_from="$kind.out" run.name="$kind.new" train.steps=0 > out.log 2>&1 || fail "init_from a folder: $(tail -3 out.log)"
  "$LMTRAIN" export "runs/$kind.new" "$kind.new" > out.log
  diff "$kind.out/model.safetensors" "$kind.new/model.safetensors" || fail "$kind: init_from a folder changed weights"
  "$LMTRAIN" from.yaml model.init_from="runs/$kind" run.name="$kind.from" train.steps=2 > out.log 2>&1 || fail "init_from a run: $(tail -3 out.log)"
done

# Who the model is goes along: through import and export word for word, and through training.
cp -r gpt2.out chat
cat > chat/generation_config.json <<'JSON'
{"eos_token_id": [3, 0], "do_sample": false,   "pad_token_id": 3}
JSON
printf '{%% for m in messages %%}<|im_start|>{{ m.content }}{%% endfor %%}' > chat/chat_template.jinja
echo '{"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 24, "chat": NaN}' > chat/tokenizer_config.json
python3 -c 'import json; d = json.load(open("chat/config.json")); d["eos_token_id"] = [3, 0]
open("chat/config.json", "w").write(json.dumps(d, indent=2) + "\n")'
expect 0 "" import chat chat.in
expect 0 "" export chat.in chat.again
diff -r chat chat.again || fail "import and export changed who the model is"
"$LMTRAIN" from.yaml model.init_from=chat run.name=chat train.steps=2 > out.log 2>&1 || fail "training of a chat model: $(tail -3 out.log)"
"$LMTRAIN" from.yaml run.name=chat model.init_from=chat train.steps=3 > out.log 2>&1 || fail "its resume: $(tail -3 out.log)"
expect 0 "" export runs/chat chat.new
for file in generation_config.json chat_template.jinja tokenizer_config.json; do
  diff "chat/$file" "chat.new/$file" || fail "training changed $file"
done
# Any of its end tokens ends a text; it takes the most likely token, as its file says.
[ "$("$LMTRAIN" generate chat.in --prompt "the" --seed 1)" = "$("$LMTRAIN" generate chat.in --prompt "the" --seed 2)" ] || fail "do_sample: false is not heeded"
python3 -c 'import json; json.dump({"eos_token_id": list(range(300))}, open("chat/generation_config.json", "w"))'
expect 0 "" import chat chat.ends
[ "$("$LMTRAIN" generate chat.ends --prompt "the of")" = "the of" ] || fail "a text goes on behind an end token"
sed -i 's/299/"x"/' chat/generation_config.json
expect 65 "eos_token_id" import chat chat.no
# The text of a special token is text, unless asked for.
[ "$("$LMTRAIN" score gpt2.in --text "<|endoftext|> the" | grep -o ',' | wc -l)" -gt 10 ] || fail "a special token was found unasked"
expect 0 '"ids":\[0,0,' score gpt2.in --text "<|endoftext|> the" --special-tokens

# Embeddings belong to the tokens for which they were learned.
expect 0 "learned for the tokens of another tokenizer" from.yaml model.init_from=gpt2.out run.name=other train.steps=1 tokenizer.vocab_size=290
expect 0 "report" from.yaml model.init_from=gpt2.out run.name=same train.steps=1 tokenizer.vocab_size=300
grep -q "another tokenizer" out.log && fail "the same tokens are called another tokenizer's: $(grep another out.log)"

expect 64 "model.num_layers = 3" from.yaml model.init_from=gpt2.out model.num_layers=3 run.name=x
expect 66 "init_from" from.yaml model.init_from=nowhere run.name=x
[ ! -e runs/x ] || fail "a refused init_from left a folder behind"
expect 64 "holds something" export runs/gpt2 gpt2.out
expect 66 "lmtrain import gpt2.out" score gpt2.out --text "the"
expect 64 "holds something" import gpt2.out gpt2.in
expect 64 "float32" export runs/gpt2 other --type int8
expect 66 "model.init_from" config.yaml run.name=y run.resume=gpt2.in

# Heads of labels: asked, exported again, refused where they do not fit.
heads=$2/tests/fixtures/models/heads
cat > small.json <<'JSON'
{"version": "1.0", "added_tokens": [
  {"id": 0, "content": "[PAD]", "special": true}, {"id": 1, "content": "[UNK]", "special": true},
  {"id": 2, "content": "[CLS]", "special": true}, {"id": 3, "content": "[SEP]", "special": true},
  {"id": 4, "content": "[MASK]", "special": true}],
 "normalizer": {"type": "BertNormalizer"}, "pre_tokenizer": {"type": "BertPreTokenizer"},
 "post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]},
 "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
 "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
  "max_input_chars_per_word": 100,
  "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "a": 5, "b": 6}}}
JSON
for head in bert_token gpt2_sequence llama_answer; do
  cp -r "$heads/$head" "$head"
  cp small.json "$head/tokenizer.json"
  "$LMTRAIN" import "$head" "$head.in" > out.log || fail "import of $head"
  "$LMTRAIN" export "$head.in" "$head.out" > out.log || fail "export of $head"
  "$LMTRAIN" import "$head.out" "$head.again" > out.log || fail "second import of $head"
  diff <("$LMTRAIN" predict "$head.in" --text "a b" --pair "b a" | sed 's/"checkpoint":"[^"]*"//') \
    <("$LMTRAIN" predict "$head.again" --text "a b" --pair "b a" | sed 's/"checkpoint":"[^"]*"//') || fail "$head: another model"
done
expect 0 '"labels":\["kind' predict bert_token.in --text "a b"
expect 0 '"label":"kind' predict gpt2_sequence.in --text "a b"
expect 0 '"answer":' predict llama_answer.in --text "a" --pair "b a"
expect 64 "as --pair" predict llama_answer.in --text "a"
expect 65 "no token" predict llama_answer.in --text "a" --pair " "
expect 64 "model.head = language_model" predict gpt2.in --text "a"
expect 64 "lmtrain predict" score gpt2_sequence.in --text "a"
expect 64 "lmtrain predict" generate gpt2_sequence.in --prompt "a"
# Long texts are read in parts, or cut where that is asked for; what a model reads in one piece is refused.
expect 0 '"word":"a"' predict bert_token.in --text "a a a a a a a a a a a a a a a a"
[ "$(grep -o '"word":"a"' out.log | wc -l)" = 16 ] || fail "not every word has a label: $(cat out.log)"
expect 0 '"windows":[2-9]' predict llama_answer.in --text "a" --pair "b a a a a a a a a a a a a a a a a a a a a a a" --stride 2 --no-answer
expect 64 "stride is for models that answer questions" predict bert_token.in --text "a" --stride 2
expect 65 "positions\|tokens" predict gpt2_sequence.in --text "a a a a a a a a a a a a a a a a a a a a a a"
expect 64 "labelled texts" from.yaml model.init_from=gpt2_sequence.in run.name=x data.sequence_length=8
sed -i 's/ForSequenceClassification/ForMultipleChoice/' gpt2_sequence/config.json
expect 65 "ForMultipleChoice" import gpt2_sequence out
sed -i 's/"0": "kind 0"/"7": "kind 0"/' bert_token/config.json
expect 65 "id2label" import bert_token out

# Folders that are not what they say.
cp -r gpt2.out nan.out
size=$(stat -c %s nan.out/model.safetensors)
printf '\0\0\300\177' | dd of=nan.out/model.safetensors bs=1 seek=$((size - 4)) conv=notrunc status=none
expect 65 "not finite" import nan.out nan.in
broken() {
  rm -rf broken
  cp -r gpt2.out broken
}
broken; sed -i 's/"resid_pdrop": [0-9.]*/"resid_pdrop": 2/' broken/config.json
expect 65 "model.dropout" import broken out
expect 65 "model.dropout" from.yaml model.init_from=broken run.name=x
broken; sed -i 's/"n_layer": 2/"n_layer": 3/' broken/config.json
expect 65 "transformer.h.2" import broken out
broken; sed -i 's/"n_layer": 2/"n_layer": 1/' broken/config.json
expect 65 "not of this model" import broken out
broken; sed -i 's/"n_head": 2/"n_head": 5/' broken/config.json
expect 65 "num_heads" import broken out
broken; sed -i 's/gelu_new/relu/' broken/config.json
expect 65 "activation_function" import broken out
broken; sed -i 's/"model_type": "gpt2"/"model_type": "mamba"/' broken/config.json
expect 65 "mamba" import broken out
broken; rm broken/tokenizer.json
expect 65 "tokenizer.json" import broken out
broken; truncate -s -1 broken/model.safetensors
expect 65 "model.safetensors" import broken out
[ ! -e out ] || fail "a refused import left a folder behind"

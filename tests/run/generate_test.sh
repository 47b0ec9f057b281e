#!/usr/bin/env bash
# Defect: texts in another order than their prompts, a text that depends on those beside it, output that is no JSON, a
# stop or a limit that is not heeded, options that are ignored.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

"$LMTRAIN" config.yaml train.steps=20 > train.log 2>&1 || fail "training: $(tail -3 train.log)"
run() { "$LMTRAIN" generate runs/test "$@" 2> err.log || fail "generate $*: $(cat err.log)"; }
field() { python3 -c 'import json, sys
for line in sys.stdin: print(json.loads(line)[sys.argv[1]])' "$1"; }

# One prompt streams its text, and the same seed writes the same one.
[ "$(run --prompt "the of" --seed 5)" = "$(run --prompt "the of" --seed 5)" ] || fail "the same seed wrote two texts"
run --prompt "the of" | grep -q "^the of" || fail "the prompt is not before its text"
[ ! -s err.log ] || fail "a text on its own says something else: $(cat err.log)"

# Many prompts come as JSON in their order, each as if it were alone.
printf '{"prompt": "the of"}\n\n{"prompt": "and to in that was"}\n{"prompt": "his he"}\n' > prompts.jsonl
printf 'the of\nand to in that was\nhis he\n' > prompts.txt
run --prompts prompts.jsonl --num-return-sequences 2 --max-new-tokens 20 > many.jsonl
grep -q "tokens of prompts read in .* further tokens written in" err.log || fail "no rate for many texts: $(cat err.log)"
[ "$(field index < many.jsonl | tr '\n' ' ')" = "0 0 1 1 2 2 " ] || fail "the texts are out of order"
diff many.jsonl <(run --prompts prompts.txt --num-return-sequences 2 --max-new-tokens 20) || fail "a file of lines differs from JSON"
diff many.jsonl <(run --prompts prompts.txt --num-return-sequences 2 --max-new-tokens 20 --batch-size 1) || fail "texts depend on the batch"
[ "$(sed -n 4p many.jsonl | field text)" = "$(run --prompt "and to in that was" --seed 2 --max-new-tokens 20 --json | field text)" ] ||
  fail "the second text is not that of the next seed"

# Limits and stops.
[ "$(run --prompt "the of" --temperature 0 --max-new-tokens 7 --json | field ids | tr -cd , | wc -c)" = 6 ] || fail "not 7 tokens"
run --prompt "the of" --temperature 0 --max-new-tokens 7 --json | grep -q '"finish_reason":"length"' || fail "no length"
run --prompt "the of" --temperature 0 --max-length 8 --json > short.jsonl
[ "$(field ids < short.jsonl | tr -cd , | wc -c)" -lt 7 ] || fail "--max-length is not heeded"
greedy=$(run --prompt "the of" --temperature 0 --max-new-tokens 30)
word=$(awk '{ print $6 }' <<< "$greedy")
run --prompt "the of" --temperature 0 --max-new-tokens 30 --stop " $word" --json > stopped.jsonl
grep -q '"finish_reason":"stop"' stopped.jsonl || fail "--stop does not stop"
field text < stopped.jsonl | grep -q " $word" && fail "the stop is part of the text"
banned=$(run --prompt "the of" --temperature 0 --max-new-tokens 1 --json | field ids | tr -d '[]')
run --prompt "the of" --temperature 0 --max-new-tokens 1 --json --logit-bias "$banned=-1000" | grep -q "\"ids\":\[$banned\]" &&
  fail "--logit-bias does not ban"
run --prompt "the of" --temperature 0 --max-new-tokens 9 --json --stop-token "$banned" | grep -q '"ids":\[\]' || fail "--stop-token does not stop"

# Beams: a better score than greedy search, at most.
run --prompt "the of" --num-beams 4 --num-return-sequences 3 --max-new-tokens 8 > beams.jsonl
[ "$(field score < beams.jsonl)" = "$(field score < beams.jsonl | sort -gr)" ] || fail "beams are not in the order of their scores"
[ "$(wc -l < beams.jsonl)" = 3 ] || fail "not three beams"
expect 64 "more than the 2 of --num-beams" generate runs/test --num-beams 2 --num-return-sequences 3
run --prompt "the of" --num-beams 4 --max-new-tokens 30 --stop " $word" --json > stopped.jsonl
field text < stopped.jsonl | grep -q " $word" && fail "beams go on behind a stop"
expect 64 "came with no chat template" generate runs/test --chat --prompt hello

long=$(printf 'the of and %.0s' {1..30})
expect 65 "more than the 32 positions" generate runs/test --num-beams 2 --prompt "$long"

# In other types: a model of fp32 weights in bf16, and in fp64.
run --prompt "the of" --precision fp64 --temperature 0 --max-new-tokens 5 > wide
run --prompt "the of" --precision fp32 --temperature 0 --max-new-tokens 5 | diff wide - || fail "fp32 and fp64 differ at once"

# In 8 bits, and cut over two ranks: about the same probabilities, one output.
run --prompt "the of" --temperature 0 --max-new-tokens 12 --json > whole.jsonl
run --prompt "the of" --temperature 0 --max-new-tokens 12 --json --int8 > int8.jsonl
mpirun -n 2 "$LMTRAIN" generate runs/test --prompt "the of" --temperature 0 --max-new-tokens 12 --json > cut.jsonl 2> err.log ||
  fail "two ranks: $(cat err.log)"
[ "$(wc -l < cut.jsonl)" = 1 ] || fail "every rank writes the text"
python3 -c 'import json
whole, int8, cut = (json.load(open(name + ".jsonl")) for name in ("whole", "int8", "cut"))
assert whole["ids"] == cut["ids"] and abs(whole["log_probability"] - cut["log_probability"]) < 0.05, (whole, cut)
assert whole != int8 and abs(whole["log_probability"] - int8["log_probability"]) < 1, (whole, int8)' ||
  fail "8 bits or two ranks write another text"
code=0
mpirun -n 3 "$LMTRAIN" generate runs/test --prompt a > out.log 2>&1 || code=$?
grep -q "cannot be cut over 3 ranks" out.log || fail "three ranks of two heads: $(head -3 out.log)"

echo '{"text": 1}' > wrong.jsonl
expect 65 "wrong.jsonl:1" generate runs/test --prompts wrong.jsonl
expect 74 "nowhere" generate runs/test --prompts nowhere
expect 64 "TOKEN=NUMBER" generate runs/test --logit-bias 5
expect 64 "leaves no room" generate runs/test --prompt "the of and to" --max-length 2
expect 64 "stop-token" generate runs/test --stop-token "<s>"

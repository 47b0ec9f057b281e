#!/usr/bin/env bash
# Defect: results that depend on the batch or are out of order, lines that are no JSON, an option that is ignored, tasks
# of a config that are not evaluated.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

printf '{"context": "the of", "choices": ["and", "to"], "answer": 0}\n' > choice.jsonl
printf '{"first": "the of and", "second": "and of the", "group": "a"}\n' > pairs.jsonl
head -c 2000 text/corpus > some.txt
"$LMTRAIN" config.yaml train.steps=20 'eval.tasks=[{task: perplexity, path: some.txt}, {task: choice, path: choice.jsonl, name: mine}, {task: pairs, path: pairs.jsonl}]' \
  eval.tasks_interval=10 'eval.prompts=["the of"]' eval.samples=1 > train.log 2>&1 || fail "training: $(tail -3 train.log)"
[ "$(grep -c '"task":"some"' runs/test/metrics.jsonl)" = 2 ] || fail "the task was not evaluated at steps 10 and 20"
grep -q "task mine  accuracy" runs/test/log.txt || fail "the log does not name the task"
grep -q "| some | bits_per_byte |" runs/test/report.md || fail "the report has no table of tasks"
grep -q "^the of" runs/test/report.md || fail "the sample does not go on from its prompt"
grep -q "task: choice" runs/test/config.yaml || fail "the config of the run lacks the tasks"
"$LMTRAIN" config runs/test/config.yaml > /dev/null || fail "the config of the run cannot be read"
"$LMTRAIN" card runs/test > card.md 2> /dev/null || fail "no card"
grep -q '^| pairs: a | [01]\.000 | .* | 1 |$' card.md || fail "the card has no share of the group: $(grep -A8 '## Bias' card.md)"
expect 64 "is no file" config.yaml run.name=other 'eval.tasks=[{task: choice, path: nowhere.jsonl}]'
expect 64 "no effect without eval.tasks" config.yaml run.name=other eval.tasks_interval=5

run() { "$LMTRAIN" "$@" 2> err.log || fail "$*: $(cat err.log)"; }
value() { python3 -c 'import json, sys
for line in sys.stdin: print(json.loads(line).get(sys.argv[1], ""))' "$1"; }

# Scores: texts in one batch and one by one; ranks and likelier tokens.
printf 'the of and to\nin that was his he it with\nof the\n' > texts.txt
run score runs/test --texts texts.txt --top 2 > scores.jsonl
[ "$(value index < scores.jsonl | tr '\n' ' ')" = "0 1 2 " ] || fail "scores are out of order"
run score runs/test --texts texts.txt --top 2 --batch-size 1 | python3 -c 'import json, sys
for a, b in zip(open("scores.jsonl"), sys.stdin):
    a, b = json.loads(a), json.loads(b)
    assert a["ids"] == b["ids"] and abs(a["log_probability"] - b["log_probability"]) < 0.05, (a, b)
    assert all(len(token["top"]) == 2 and token["rank"] >= 1 for token in a["tokens"])' || fail "scores depend on the batch"
grep -q "3 texts of" err.log || fail "no rate for many texts"
run score runs/test --text "the of" --top 1 --table | grep -q "probability   rank  token" || fail "no table"
run score runs/test --text "the of" --energy | tail -1 | python3 -c 'import json, sys
energy = json.loads(sys.stdin.read())["energy"]
assert energy["joules"] >= 0 and energy["startup_seconds"] > 0 and energy["quality"] in ("measured", "modelled"), energy' ||
  fail "--energy adds no energy"
run generate runs/test --prompt "the of" --energy --region DEU > /dev/null
grep -q "J per token.*Germany" err.log || fail "--energy of a streamed text says nothing: $(cat err.log)"
expect 64 "no carbon intensity" score runs/test --text a --energy --region XYZ

# Vectors of a decoder: its last token.
run embed runs/test --texts texts.txt --out vectors.npy > /dev/null
python3 -c 'import struct
data = open("vectors.npy", "rb").read()
assert data[:6] == b"\x93NUMPY" and b"(3, 32)" in data, data[:80]
assert len(data) % 64 == 3 * 32 * 4 % 64' || fail "vectors.npy is no matrix of 3 rows"
run embed runs/test --texts texts.txt --similar | head -1 | grep -q "^  1.0000 " || fail "a text is not similar to itself"

# What a prediction rests on: contributions that add up to the difference of two scores, on one rank and on two.
run explain runs/test --text "the of and to" --page page.html > explained.jsonl
mpirun -n 2 "$LMTRAIN" explain runs/test --text "the of and to" 2> err.log > explained2.jsonl || fail "explain on two ranks: $(cat err.log)"
python3 -c 'import json
one, two = (json.loads(open(name).read()) for name in ("explained.jsonl", "explained2.jsonl"))
assert one["target"]["kind"] == "next_token" and one["completeness"]["holds"], one
difference = one["input_score"] - one["baseline_score"]
assert abs(sum(one["integrated_gradients"]) - difference) <= 0.01 * abs(difference), one
assert any(one["gradient_x_input"]) and len(one["tokens"]) == len(one["integrated_gradients"])
for a, b in zip(one["integrated_gradients"], two["integrated_gradients"]): assert abs(a - b) < 1e-4, (one, two)
page = open("page.html").read()
data = json.loads(page.split("id=\"data\">")[1].split("</script>")[0])
text = data["texts"][0]
assert text["integrated_gradients"] == one["integrated_gradients"] and text["attention"]["values"], page[-300:]' ||
  fail "explain's contributions or its page"
run explain runs/test --text "the of" --target " of" --score probability --table | grep -q "^contribution  token" || fail "no table"
run explain runs/test --text "the of and" --max-points 65 --tolerance 1e-6 > /dev/null
grep -q "raise --max-points" err.log || fail "contributions that do not add up pass unnoticed: $(cat err.log)"
expect 64 "one token is explained" explain runs/test --text "the of" --target "the of"
expect 64 "has no meaning here" explain runs/test --text "the of" --position 1
expect 64 "no number from" explain runs/test --text a --tolerance nan
expect 64 "no number from" generate runs/test --prompt a --temperature nan
run score runs/test --text "[the,of]" > brackets.jsonl
[ "$(wc -l < brackets.jsonl)" = 1 ] || fail "a text in brackets became several"
run explain runs/test --text "the of" --target-id 3 | grep -q '"id":3' || fail "--target-id names another token"
expect 64 "is not below" explain runs/test --text "the of" --target-id 100000
mkfifo pipe
expect 74 "a device or a pipe" explain runs/test --text a --page pipe
[ -p pipe ] || fail "a page took the place of a pipe"
expect 64 "without chance" generate runs/test --prompt a --num-beams 2 --top-k 3
expect 64 "too coarse" explain runs/test --text a --precision bf16
expect 74 "no folder" explain runs/test --text a --page nowhere/page.html

# Tasks by command.
[ "$(run eval runs/test some.txt --task perplexity | value bytes)" = 2000 ] || fail "not all bytes of the text"
run eval runs/test pairs.jsonl --task pairs --items items.jsonl | grep -q '"groups":{"a":' || fail "no share of the group"
[ "$(wc -l < items.jsonl)" = 1 ] || fail "--items wrote no item"
expect 65 "pairs.jsonl:1" eval runs/test pairs.jsonl --task choice
expect 64 "task" eval runs/test pairs.jsonl

expect 64 "says nothing of labels" predict runs/test --text a
expect 64 "knows no mask" fill-mask runs/test --text a
expect 64 "there is no text" score runs/test
expect 64 "give each text its pair" predict runs/test --text a --text b --pair c

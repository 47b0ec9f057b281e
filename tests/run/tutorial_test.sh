#!/usr/bin/env bash
# Defect: a command of docs/tutorial.md that does not work any more, or leaves out what the page promises. Runs them in few steps.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"
page=$2/docs/tutorial.md

mkdir bin my-model
ln -s "$LMTRAIN" bin/lmtrain
export PATH=$PWD/bin:$PATH
cp -r text my-model/texts
head -c 2000 text/corpus > my-model/wisdom.txt
cd my-model
# block KIND: what stands in the page's blocks of that kind, one behind the other.
block() { awk -v begin="\`\`\`$1" '$0 == begin { inside = 1; next } /^```/ { inside = 0 } inside' "$page"; }
block yaml | sed 's/steps: [0-9]*/steps: 6/; s/interval: [0-9]*/interval: 3/' > mine.yaml
grep -q "steps: 6" mine.yaml || fail "the page has no config"
# The first block makes the folder.
block sh | grep -v '^scripts/' > commands
[ "$(grep -c '^\(mpirun -n 2 \)\?lmtrain ' commands)" = 10 ] || fail "not ten commands: $(cat commands)"
bash -e commands > out.log 2>&1 || fail "$(tail -5 out.log)"
for made in runs/mine/report.html exported/model.safetensors exported/tokenizer.json exported/README.md; do
  [ -s "$made" ] || fail "no $made"
done

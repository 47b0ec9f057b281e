#!/usr/bin/env bash
# Defect: a step whose numbers depend on how many ranks share it: samples that two ranks compute or none, a loss scaled
# by a rank's own tokens, a mean of means, dropout drawn by rank, clipping by a local norm. In fp64, against one rank.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

for ranks in 1 2 4; do
  mpirun -n $ranks "$LMTRAIN" config.yaml run.name=r$ranks train.steps=50 train.precision=fp64 train.clip_grad_norm=0.5 \
    parallel.threads=1 checkpoint.interval=0 > r$ranks.log 2>&1 || fail "$ranks ranks: $(tail -5 r$ranks.log)"
done
for ranks in 2 4; do
  python3 - runs/r1/metrics.jsonl runs/r$ranks/metrics.jsonl <<'PY' || fail "$ranks ranks differ from one"
import json, sys
one, many = ([json.loads(line) for line in open(path)] for path in sys.argv[1:])
assert len(one) == len(many) and sum("loss" in line for line in one) == 50, "not the same lines"
assert any(line["grad_norm"] > 0.5 for line in one if "grad_norm" in line), "nothing was clipped"
worst = 0.0
for a, b in zip(one, many):
    assert a["step"] == b["step"] and a.get("data_hash") == b.get("data_hash"), f"other data at step {a['step']}"
    for key in ("loss", "grad_norm", "validation_loss"):
        if key in a:
            worst = max(worst, abs(a[key] - b[key]))
print(f"largest difference {worst:.2e}")
sys.exit(0 if worst <= 1e-10 else f"losses differ by {worst}")
PY
done

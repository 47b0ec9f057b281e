#!/usr/bin/env bash
# Defect: a trace that lacks phases or operations, ranks on unlike clocks, a reduction that waits for the end of backward, a
# run without the key that writes one.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

mpirun -n 2 "$LMTRAIN" config.yaml run.name=traced train.steps=12 train.trace=true parallel.bucket_mib=0.01 parallel.threads=1 \
  > traced.log 2>&1 || fail "the traced run: $(tail -5 traced.log)"
grep -q "runs/traced/trace" traced.log || fail "the log does not say where the traces are"
python3 - <<'PY' || fail "the traces do not show the run"
import json

spans = []
for rank in range(2):
    trace = json.load(open(f"runs/traced/trace/rank-0000{rank}.json"))
    events = trace["traceEvents"]
    assert all(event["pid"] == rank for event in events), "another rank's events"
    lanes = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    spans.append([(lanes[e["tid"]], e["name"], e["ts"], e["ts"] + e["dur"], e.get("args")) for e in events if e["ph"] == "X"])

    names = {span[1] for span in spans[rank] if span[0] == "training"}
    phases = {"data", "forward", "backward", "communication", "optimizer", "checkpoint", "evaluation"}
    assert names == phases, f"phases {names}"
    backward = [span for span in spans[rank] if span[1] == "backward"]
    assert len(backward) == 24, f"{len(backward)} times backward"  # two micro-batches a step
    reductions = [span for span in spans[rank] if span[:2] == ("communication", "all_reduce data")]
    hidden = sum(any(b[2] < r[3] and r[2] < b[3] for b in backward) for r in reductions)
    print(f"rank {rank}: {hidden} of {len(reductions)} reductions ran beside backward")
    assert hidden > 0, "no reduction ran beside backward"

# Both ranks were in each operation at once, and call it by one number.
of_rank = [{(s[1], s[4]["sequence"]): s for s in ranks if s[0] == "communication"} for ranks in spans]
assert of_rank[0].keys() == of_rank[1].keys(), "ranks name their operations differently"
for name, first in of_rank[0].items():
    second = of_rank[1][name]
    assert first[4] == second[4], f"{name}: {first[4]} and {second[4]}"
    if name[0].startswith("all_"):
        assert max(first[2], second[2]) < min(first[3], second[3]) + 1000, f"{name}: ranks on unlike clocks"
PY

"$LMTRAIN" config.yaml run.name=plain train.steps=2 parallel.threads=1 > plain.log 2>&1 || fail "the run without a trace: $(tail -5 plain.log)"
[ ! -e runs/plain/trace ] || fail "a trace that nobody asked for"

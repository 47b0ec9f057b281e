#!/usr/bin/env bash
# A rank that the system kills because memory is short (here by its own limit): the job ends, and goes on once there is enough.
#   memory.sh LMTRAIN
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

run() { mpirun -n 2 "$@" config.yaml "${steps[@]}" parallel.threads=1; }
run "$LMTRAIN" run.name=whole > out.log 2>&1 || fail "$(tail -3 out.log)"
trace whole 4 > whole.trace
# Rank 1 gets no more memory once it has computed a step.
cat > short <<'SH'
#!/usr/bin/env bash
[ "$OMPI_COMM_WORLD_RANK" = 1 ] || exec "$@"
"$@" &
rank=$!
until grep -qs '"step":3,' runs/killed/metrics.jsonl || ! kill -0 "$rank"; do sleep 0.01; done
prlimit --pid "$rank" --as=1000000
wait "$rank"
SH
chmod +x short
code=0
mpirun -n 2 ./short "$LMTRAIN" config.yaml "${steps[@]}" parallel.threads=1 run.name=killed train.steps=2000 > out.log 2>&1 || code=$?
[ "$code" != 0 ] || fail "a rank without memory goes unnoticed"
mpirun -n 2 "$LMTRAIN" config.yaml "${steps[@]}" parallel.threads=1 run.name=killed train.steps=2000 > out.log 2>&1 || fail "$(tail -3 out.log)"
mpirun -n 2 "$LMTRAIN" config.yaml "${steps[@]}" parallel.threads=1 run.name=long train.steps=2000 > out.log 2>&1 || fail "$(tail -3 out.log)"
trace long 2000 > long.trace
trace killed 2000 | cmp -s - long.trace || fail "other numbers"
row "no memory for one rank in the middle of a run" 2 1 "A: exit code $code, then equal to the bit"

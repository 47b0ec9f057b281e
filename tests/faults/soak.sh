#!/usr/bin/env bash
# One run of two ranks that is killed again and again, at random moments: a rank, or mpirun. It must end with the weights of a run
# that was never killed, and leave no process.
#   soak.sh LMTRAIN KILLS
LMTRAIN=$1
kills=$2
. "$(dirname "$0")/lib.sh"

total=$((kills * 200))
run=(mpirun -n 2 "$LMTRAIN" config.yaml "train.steps=$total" checkpoint.interval=10 eval.interval=0 eval.samples=0 parallel.threads=1)
"${run[@]}" run.name=whole > out.log 2>&1 || fail "$(tail -3 out.log)"
trace whole "$total" > whole.trace

RANDOM=7
name=killed$$
done_kills=0
while [ "$done_kills" -lt "$kills" ]; do
  "${run[@]}" "run.name=$name" > out.log 2>&1 &
  job=$!
  sleep "$((RANDOM % 2)).$((RANDOM % 10))$((RANDOM % 10))"
  sleep 0.7
  mapfile -t processes < <(pgrep -P "$job")
  victims=("$job" "${processes[@]}")
  kill -KILL "${victims[RANDOM % ${#victims[@]}]}" 2> kill.log && done_kills=$((done_kills + 1))
  begin=$(date +%s%N)
  while pgrep -f "run.name=$name( |\$)" > kill.log; do
    [ $((($(date +%s%N) - begin) / 1000000000)) -lt 8 ] || fail "processes are left 8 s after kill $done_kills: $(pgrep -af run.name=$name)"
    sleep 0.02
  done
  wait "$job" 2> kill.log || true
  if grep -q "finished" "runs/$name/ending.json" 2> kill.log; then break; fi
done
# A fast machine may end it earlier.
[ "$done_kills" -ge $((kills / 2)) ] || fail "the run ended after $done_kills kills"
"${run[@]}" "run.name=$name" > out.log 2>&1 || fail "after $done_kills kills: $(tail -3 out.log)"
trace "$name" "$total" | cmp -s - whole.trace || fail "after $done_kills kills: other numbers"
row "kill -9 of a rank or of mpirun at random moments of one run" 2 "$done_kills" "A: equal to the bit, no process left"

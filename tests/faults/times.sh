#!/usr/bin/env bash
# How long it takes until a job of two ranks is gone after one was killed, and from the command that goes on to its first step.
#   times.sh LMTRAIN CONFIG NAME TRIES TARGET [SETTING...]    the model of CONFIG, called NAME in the table; TARGET: ms to the first step
LMTRAIN=$1
config=$(realpath "$2")
name=$3
tries=$4
target=$5
settings=("${@:6}")
. "$(dirname "$0")/lib.sh"

now() { echo $(($(date +%s%N) / 1000000)); }
last_step() { grep -o '"step":[0-9]*,"step_seconds"' runs/timed/metrics.jsonl 2> grep.log | tail -1 | tr -dc 0-9; }
start() {
  mpirun -n 2 "$LMTRAIN" "$config" run.name=timed run.dir=runs data.sources="[{path: text, separator: \"%\"}]" data.cache=cache \
    train.steps=100000 checkpoint.interval=2 eval.interval=0 eval.samples=0 parallel.threads=1 "${settings[@]}" > out.log 2>&1 &
  job=$!
}
steps_after() { [ "$(last_step)" -gt "$1" ]; }

start
gone=() first=()
for ((try = 0; try < tries; ++try)); do
  for ((i = 0; i < 6000; ++i)); do
    if compgen -G 'runs/timed/checkpoints/step-*/manifest.json' > list.log; then break; fi
    kill -0 "$job" || fail "$(tail -3 out.log)"
    sleep 0.05
  done
  pkill -KILL -P "$job" -n
  began=$(now)
  wait "$job" 2> wait.log || true
  gone+=($(($(now) - began)))
  saved=$(newest_checkpoint timed)
  saved=$((10#${saved##*-}))
  mv runs/timed/metrics.jsonl "metrics.$try"
  cp "metrics.$try" runs/timed/metrics.jsonl
  began=$(now)
  start
  # The lines behind the checkpoint are removed and written anew.
  for ((i = 0; i < 12000; ++i)); do
    if ! cmp -s runs/timed/metrics.jsonl "metrics.$try" && [ "$(last_step)" -gt "$saved" ]; then break; fi
    kill -0 "$job" || fail "$(tail -3 out.log)"
    sleep 0.01
  done
  first+=($(($(now) - began)))
done
pkill -KILL -P "$job"
wait "$job" 2> wait.log || true
most() { printf '%s\n' "$@" | sort -n | tail -1; }
middle() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
row "$name: from kill -9 of a rank to the end of the job" 2 "$tries" "5,000 ms at most" "median $(middle "${gone[@]}") ms, most $(most "${gone[@]}") ms"
row "$name: from the command that goes on to its first step" 2 "$tries" "$target ms at most" "median $(middle "${first[@]}") ms, most $(most "${first[@]}") ms"

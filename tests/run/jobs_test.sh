#!/usr/bin/env bash
# Defect: tasks that are not one job, ranks that are not alike, two jobs in one folder, and limits of the system: found late, or
# never, or with words that do not help.
LMTRAIN=$1
. "$(dirname "$0")/lib.sh"

# Tasks that their launcher did not connect would each train a run.
SLURM_STEP_NUM_TASKS=2 expect 64 "srun started 2 tasks .* --mpi=pmix" config.yaml
PMI_SIZE=4 PMI_RANK=1 expect 64 "Hydra.* started 4 tasks" config.yaml
WORLD_SIZE=2 expect 64 "mpirun of Open MPI" config.yaml
[ ! -e runs ] || fail "a refused task made a folder"
SLURM_STEP_NUM_TASKS=1 SLURM_NTASKS=2 expect 0 "report" config.yaml train.steps=1 run.name=batch

# expect_ranks CODE PATTERN MPIRUN-ARGUMENT...
expect_ranks() {
  local want=$1 pattern=$2 code=0
  shift 2
  mpirun "$@" > out.log 2>&1 || code=$?
  [ "$code" = "$want" ] || fail "exit code $code, expected $want ($(tail -5 out.log))"
  grep -q -- "$pattern" out.log || fail "'$pattern' is not in the output ($(tail -5 out.log))"
}

# Two hosts, played by two folders. One that lacks the corpus does not need it.
mkdir other
here=("$work/config.yaml" "data.cache=$work/cache" train.steps=2)
expect_ranks 0 "report" -n 1 "$LMTRAIN" "${here[@]}" "run.dir=$work/runs" run.name=two : \
  -n 1 --wdir "$work/other" "$LMTRAIN" "${here[@]}" "run.dir=$work/runs" run.name=two
# A run folder of its own on each host.
expect_ranks 64 "run.dir: .* does not see .*other/runs/three as rank 0 has it" -n 1 "$LMTRAIN" "${here[@]}" run.name=three : \
  -n 1 --wdir "$work/other" "$LMTRAIN" "${here[@]}" run.name=three
[ ! -e runs/three ] || fail "a folder was left behind"
# Another build, and another config, on one of them.
cp "$LMTRAIN" other/lmtrain
printf x >> other/lmtrain
expect_ranks 64 "rank 1 on .* has another program than rank 0" -n 1 "$LMTRAIN" "${here[@]}" run.name=four : -n 1 other/lmtrain "${here[@]}" run.name=four
expect_ranks 64 "rank 1 on .* has another config" -n 1 "$LMTRAIN" "${here[@]}" run.name=four : -n 1 "$LMTRAIN" "${here[@]}" run.name=four optimizer.lr=0.5

# A folder is held before any text is read, and even where somebody has deleted the lock file.
exec {fd}< runs/two
flock "$fd"
rm runs/two/.lock
expect 73 "another job is writing in runs/two" config.yaml run.name=two data.cache=unused
[ ! -e unused ] || fail "text was read before the folder was held"
exec {fd}<&-

# What the system does not give.
expect 64 "parallel.threads = 4096, but this rank has" config.yaml run.name=five parallel.threads=4096
long=$(head -c 5000 /dev/zero | tr '\0' x)
expect 64 "run.dir" config.yaml "run.dir=$long"
[ "$(wc -c < out.log)" -lt 1000 ] || fail "an error of $(wc -c < out.log) bytes"
if [ "$(id -u)" = 0 ]; then
  chmod -R a+rwX "$work"
  code=0
  setpriv --reuid 65533 --regid 65533 --clear-groups prlimit --nproc=4 "$LMTRAIN" config.yaml run.name=six > out.log 2>&1 || code=$?
  [ "$code" = 1 ] || fail "exit code $code without threads ($(tail -3 out.log))"
  grep -q "needs [0-9]* threads, and the system gives it [0-9]*" out.log || fail "no word of threads: $(tail -3 out.log)"
fi

# A request to stop that comes while the program starts is honoured, and no crash.
for after in 0.1 0.2 0.3 0.5 0.8; do
  "$LMTRAIN" config.yaml run.name=soon train.steps=100000 > out.log 2>&1 &
  job=$!
  sleep "$after"
  kill -USR1 "$job"
  code=0
  wait "$job" || code=$?
  [ "$code" = 75 ] || fail "exit code $code of a request after $after s ($(tail -3 out.log))"
done

# Threads, cores and instruction set of every rank are compared on resume.
mpirun -n 2 "$LMTRAIN" config.yaml run.name=seven train.steps=5 parallel.threads=1 > out.log 2>&1 || fail "two ranks: $(tail -3 out.log)"
manifest=$(newest_checkpoint seven)/manifest.json
[ "$(grep -c '"cpu_capability"' "$manifest")" = 2 ] || fail "the manifest does not tell of every rank"
mpirun -n 2 "$LMTRAIN" config.yaml run.name=seven train.steps=6 parallel.threads=2 > out.log 2>&1 || fail "resume: $(tail -3 out.log)"
grep -q "threads of rank 1: 1 before, 2 now" out.log || fail "another number of threads of rank 1 goes unsaid: $(cat out.log)"

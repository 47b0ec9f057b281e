#!/usr/bin/env bash
# A real Slurm on this machine, with two nodes, and what it does to a run: submitted, at the end of its time, requeued, signalled,
# cancelled, killed and preempted. Each time the run goes on to the numbers of an undisturbed one. Takes about ten minutes, since a
# requeued job waits for two.
#   slurm_test.sh LMTRAIN
LMTRAIN=$(realpath "$1")
project=$(cd "$(dirname "$0")/../.." && pwd)
. "$project/tests/run/lib.sh"
. "$project/tests/run/hosts.sh"
. "$project/tests/slurm/cluster.sh"
can_have_hosts || { echo "this machine allows no namespaces"; exit 77; }
start_hosts 2
start_slurm
export LMTRAIN

sed -i 's/train: .*/train: {steps: 3000, global_batch_size: 8, micro_batch_size: 2, precision: fp32}/; s/interval: 5, keep/interval: 500, keep/; s/interval: 20, batches/interval: 0, batches/' config.yaml
echo "parallel: {threads: 1}" >> config.yaml

say() { printf '\n== %s\n' "$*"; }
shows() { printf '$ %s\n' "$*"; on_slurm "cd $work && $*"; }
state_of() { on_slurm "scontrol show job $1" | grep -o "JobState=[A-Z]*" | cut -d= -f2 | sort -u | paste -sd,; }
job_of() { grep -o "[0-9]*$" <<< "$1"; }
# until_state JOB SECONDS STATE...
until_state() {
  local job=$1 end=$((SECONDS + $2)) state
  shift 2
  while true; do
    state=$(state_of "$job")
    for wanted in "$@"; do [ "$state" != "$wanted" ] || return 0; done
    if [ "$SECONDS" -ge "$end" ] || [ "$state" = FAILED ]; then
      for log in "$slurm"/*.log; do tail -n 8 "$log"; done >&2
      fail "job $job is $state, not $* ($(tail -5 "lmtrain-$job.log"))"
    fi
    sleep 0.5
  done
}
until_step() {
  local end=$((SECONDS + 60))
  until grep -qs "\"step\":$2," "runs/$1/metrics.jsonl"; do
    [ "$SECONDS" -lt "$end" ] || fail "$1 does not come to step $2: $(tail -n 5 lmtrain-*.log)"
    sleep 0.1
  done
}
same() {
  trace "$1" 3000 > now.trace
  trace undisturbed 3000 | cmp - now.trace || fail "$1 ended with other numbers"
  say "$1: all 3,000 steps and the weights equal those of the undisturbed run"
}
two=(--nodes=2 --ntasks-per-node=1)
sbatch=$project/scripts/slurm/train.sbatch

say "undisturbed"
shows sbatch "${two[*]}" "$sbatch" config.yaml run.name=undisturbed > out.log
until_state "$(job_of "$(cat out.log)")" 300 COMPLETED
cat out.log

say "the time of the job is up: the run stops by itself and is requeued"
shows sbatch "${two[*]}" --time=1 "$sbatch" config.yaml run.name=limit train.steps=3000 run.stop_before_end=40s | tee out.log
limit=$(job_of "$(tail -1 out.log)")
until_state "$limit" 90 PENDING
shows squeue

say "meanwhile: a signal, by mpirun"
shows sbatch "${two[*]}" "$project/scripts/slurm/train_mpirun.sbatch" config.yaml run.name=signalled | tee out.log
signalled=$(job_of "$(tail -1 out.log)")
until_step signalled 200
shows scancel --signal=USR1 --batch "$signalled"
until_state "$signalled" 60 PENDING
tail -3 "lmtrain-$signalled.log"

say "cancelled: the run saves within the time that Slurm leaves it"
shows sbatch "${two[*]}" "$sbatch" config.yaml run.name=cancelled | tee out.log
cancelled=$(job_of "$(tail -1 out.log)")
until_step cancelled 200
shows scancel "$cancelled"
until_state "$cancelled" 60 CANCELLED
grep "stopped" "lmtrain-$cancelled.log"

say "preempted by a job of the partition urgent"
shows sbatch "${two[*]}" "$sbatch" config.yaml run.name=preempted | tee out.log
preempted=$(job_of "$(tail -1 out.log)")
until_step preempted 200
shows srun --partition=urgent --nodes=2 --ntasks-per-node=2 sleep 1
until_state "$preempted" 60 PENDING
grep "stopped" "lmtrain-$preempted.log"

say "a rank is killed: the job ends and is requeued"
shows sbatch "${two[*]}" "$sbatch" config.yaml run.name=killed | tee out.log
killed=$(job_of "$(tail -1 out.log)")
until_step killed 600
signal_host host2 KILL lmtrain
until_state "$killed" 120 PENDING
grep "asks to be requeued" "lmtrain-$killed.log"

say "a chain of jobs, and one in the terminal"
shows sbatch "${two[*]}" --array=1-2%1 "$project/scripts/slurm/train_array.sbatch" config.yaml run.name=chain run.stop_after=20s | tee out.log
chain=$(job_of "$(tail -1 out.log)")
shows "$project/scripts/slurm/interactive.sh" "${two[*]}" -- config.yaml run.name=cancelled > out.log 2>&1
head -1 out.log
tail -n 2 out.log

say "all of them go on"
until_state "$chain" 200 COMPLETED
for job in "$limit" "$signalled" "$preempted" "$killed"; do until_state "$job" 700 COMPLETED; done
shows "$LMTRAIN" runs
for name in limit signalled cancelled preempted killed; do same "$name"; done

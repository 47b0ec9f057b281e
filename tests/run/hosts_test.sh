#!/usr/bin/env bash
# Defect: two hosts, and what befalls one of them or the link between them: a job that does not end, or holds its allocation, or goes
# on to other numbers. Hosts are namespaces (hosts.sh); where the machine allows none, the test is skipped.
LMTRAIN=$1
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
. "$here/hosts.sh"
can_have_hosts || { echo "this machine allows no namespaces"; exit 77; }
start_hosts 2

# A save of this model takes long enough to be met.
cat > two.yaml << YAML
run: {name: test, dir: $work/runs, seed: 3}
model: {kind: gpt2, num_layers: 2, num_heads: 2, hidden_size: 512, max_positions: 32, dropout: 0.1}
tokenizer: {kind: bpe, vocab_size: 300}
data: {sources: [{path: $work/text, separator: "%"}], validation_fraction: 0.1, sequence_length: 32, cache: $work/cache}
train: {steps: 12, global_batch_size: 4, micro_batch_size: 2, precision: fp32}
eval: {interval: 0, batches: 1, samples: 0}
checkpoint: {interval: 4, keep: 2}
parallel: {timeout_seconds: 4, hang_seconds: 4, threads: 1}
energy: {interval_seconds: 0.5, region: DEU}
YAML
train() { mpirun_on_hosts "$LMTRAIN" two.yaml "$@"; }

ranks_on() { count_on_host "$1" lmtrain; }
none_is_left() { [ "$(ranks_on host1)" = 0 ] && [ "$(ranks_on host2)" = 0 ]; }

# until_true SECONDS COMMAND...
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || fail "timed out waiting for: $* ($(tail -5 job.log))"
    sleep 0.05
  done
}
has_step() { grep -qs "\"step\":$2," "runs/$1/metrics.jsonl"; }
has_checkpoint() { [ -e "runs/$1/checkpoints/step-$(printf %08d "$2")/manifest.json" ]; }
is_saving() { [ -n "$(find "runs/$1/checkpoints" -name '*.tmp.*' 2> /dev/null)" ]; }

# ends_within SECONDS: the job $job ends, on both hosts.
ends_within() {
  local begin=$SECONDS most=$1
  code=0
  wait "$job" || code=$?
  echo "after the fault mpirun ended with exit code $code within $((SECONDS - begin)) s"
  [ "$((SECONDS - begin))" -le "$most" ] || fail "mpirun ended $((SECONDS - begin)) s after the fault, not within $most"
  until_true $((most - SECONDS + begin + 1)) none_is_left
}

# What a job of two hosts is, and what it says of them.
mpirun_on_hosts "$LMTRAIN" doctor > doctor.log 2>&1 || fail "doctor: $(tail -5 doctor.log)"
grep -q "2 ranks on 2 hosts" doctor.log || fail "doctor does not see two hosts: $(cat doctor.log)"
grep -Eq "0 and 1 \(host1 and host2\): [0-9.]+ us, [0-9.]+ GB/s" doctor.log || fail "doctor has no link: $(cat doctor.log)"
grep -Eq "all_reduce of 64.0 MiB over 2 ranks \(mpi\): [0-9.]+ ms" doctor.log || fail "doctor has no all_reduce: $(cat doctor.log)"

train > job.log 2>&1 || fail "two hosts: $(tail -5 job.log)"
grep -q '"host": "host2"' runs/test/provenance.json || fail "the provenance does not name the second host"
trace test 12 > undisturbed
# Also the numbers of one host.
mpirun -n 2 "$LMTRAIN" two.yaml run.name=one > job.log 2>&1 || fail "one host: $(tail -5 job.log)"
trace one 12 | cmp - undisturbed || fail "two hosts compute other numbers than one"

# goes_on NAME: the same command continues, to the very same numbers.
goes_on() {
  train run.name="$1" > job.log 2>&1 || fail "$1 does not go on: $(tail -5 job.log)"
  grep -q "continuing from" job.log || fail "$1 began anew"
  trace "$1" 12 | cmp - undisturbed || fail "$1 went on to other numbers"
}

# The link is lost in a step: both sides find it out by their time-out of 4 s, and mpirun, which would wait for host2, is ended.
train run.name=step > job.log 2>&1 &
job=$!
until_true 60 has_checkpoint step 4
set_link host2 down
ends_within 14
grep -Eq "waited more than 4 s in|has said nothing for 4 s" job.log || fail "the lost link is not named: $(tail -5 job.log)"
grep -q '"code": 76' runs/step/ending.json || fail "the end is not recorded: $(cat runs/step/ending.json)"
set_link host2 up
goes_on step

# The same with the time-out of half an hour: the watchdog alone finds it.
train run.name=watched parallel.timeout_seconds=1800 > job.log 2>&1 &
job=$!
until_true 60 has_checkpoint watched 4
set_link host2 down
ends_within 24
grep -q "rank 1 has said nothing for 4 s" job.log || fail "the watchdog does not name the lost rank: $(tail -5 job.log)"
set_link host2 up
goes_on watched

# The link is lost in a save.
train run.name=save > job.log 2>&1 &
job=$!
until_true 60 is_saving save
set_link host2 down
ends_within 14
set_link host2 up
[ -n "$(find runs/save/checkpoints -name manifest.json)" ] || first=yes
if [ "${first:-}" = yes ]; then rm -rf runs/save; else goes_on save; fi

# A host that pauses for less than the time-out holds the others up, and no more.
train run.name=pause > job.log 2>&1 &
job=$!
until_true 60 has_step pause 3
signal_host host2 STOP lmtrain
sleep 2
signal_host host2 CONT lmtrain
wait "$job" || fail "a pause of 2 s: $(tail -5 job.log)"
trace pause 12 | cmp - undisturbed || fail "a pause changed the numbers"

# A host dies, and a new one takes its place.
train run.name=lost > job.log 2>&1 &
job=$!
until_true 60 has_checkpoint lost 4
lose_host host2
begin=$SECONDS
code=0
wait "$job" || code=$?
echo "after the loss of a host mpirun ended with exit code $code"
[ "$((SECONDS - begin))" -le 14 ] || fail "mpirun ended $((SECONDS - begin)) s after a host was lost"
[ "$(ranks_on host1)" = 0 ] || fail "a rank is left on host1"
start_host host2
goes_on lost

#!/usr/bin/env bash
# The faults that a run must survive: injects them and prints a table of fault, ranks, times tried and outcome.
#   faults.sh LMTRAIN FAULTY_IO quick          a part, in about a minute
#   faults.sh LMTRAIN FAULTY_IO all BUILD      all that this machine allows, with the tests in the folder BUILD
# Outcomes, as in docs/reliability.md: A the last good checkpoint is chosen and the numbers are equal to the bit; B refused before
# anything is touched; C the save is abandoned and training goes on; D all ranks stop together with a record of the cause; E training
# goes on, and the records say so.
set -euo pipefail
LMTRAIN=$1
library=$2
extent=$3
build=${4:-}
here=$(cd "$(dirname "$0")" && pwd)
export OMPI_MCA_rmaps_base_oversubscribe=1
failed=0

print_row() { printf '| %s | %s | %s | %s | %s |\n' "$@"; }

# try SCRIPT ARGUMENT...: one of the scripts beside this one, which prints rows.
try() {
  local script=$1 output fault ranks times promised seen
  shift
  if ! output=$(bash "$here/$script" "$LMTRAIN" "$@" 2>&1); then
    failed=$((failed + 1))
    print_row "$script" "" "" "" "**not kept**: $(grep FAILED <<< "$output" | tail -1)"
    printf '%s\n' "$output" | tail -20 >&2
  fi
  while IFS='|' read -r _ fault ranks times promised seen; do
    print_row "$fault" "$ranks" "$times" "$promised" "$seen"
  done < <(grep '^ROW' <<< "$output")
}

# by_test FAULT OUTCOME TEST RANKS: what a test of whole runs tries, each fault once or more often. Requests to stop are counted.
by_test() {
  local fault=$1 outcome=$2 name=$3 ranks=$4 output requests times="the test" code=0
  output=$(bash "$here/../run/$name.sh" "$LMTRAIN" "$here/../.." 2>&1) || code=$?
  case $code in
    0)
      requests=$(sed -n 's/.*: \([0-9]*\) requests were heeded.*/\1/p' <<< "$output" | paste -sd+)
      [ -z "$requests" ] || times="$requests, all heeded"
      print_row "$fault" "$ranks" "$times" "$outcome" "as promised (tests/run/$name.sh)"
      ;;
    77) print_row "$fault" "$ranks" 0 "$outcome" "not tried: $(tail -1 <<< "$output")" ;;
    *)
      failed=$((failed + 1))
      print_row "$fault" "$ranks" "$times" "$outcome" "**not kept**: $(grep FAILED <<< "$output" | tail -1)"
      ;;
  esac
}

# by_unit FAULT OUTCOME RANKS TIMES PROGRAM FILTER: what unit tests or tests of several ranks try.
by_unit() {
  local fault=$1 outcome=$2 ranks=$3 times=$4 program=$5 filter=$6 start=()
  [ "$ranks" = 1 ] || start=(mpirun -n "$ranks")
  # A filter that matches nothing passes, too.
  if [ "$("$build/$program" --gtest_list_tests --gtest_filter="$filter" 2> /dev/null | grep -c '^  ')" -gt 0 ] &&
    "${start[@]}" "$build/$program" --gtest_filter="$filter" > /dev/null 2>&1; then
    print_row "$fault" "$ranks" "$times" "$outcome" "as promised ($program, $filter)"
  else
    failed=$((failed + 1))
    print_row "$fault" "$ranks" "$times" "$outcome" "**not kept** ($program, $filter)"
  fi
}

printf '| Fault | Ranks | Times | Promised | Seen |\n|---|---|---|---|---|\n'
if [ "$extent" = quick ]; then
  try crash_points.sh "$library" 1 31
  try crash_points.sh "$library" 2 53
  try disk.sh "$library" 2
  try records.sh "$library"
  try soak.sh 3
  if command -v python3 > /dev/null; then try power_loss.sh "$library"; fi
  [ "$failed" = 0 ] || exit 1
  exit 0
fi

try crash_points.sh "$library" 1 1
try crash_points.sh "$library" 2 1
try crash_points.sh "$library" 4 3
for ranks in 1 2 4; do try disk.sh "$library" "$ranks"; done
try records.sh "$library"
try soak.sh 100
try power_loss.sh "$library"
try clock.sh
try times.sh "$here/../../configs/quickstart.yaml" "the quickstart's model" 5 5,000 tokenizer.vocab_size=300
try times.sh "$here/../../configs/gpt2-small.yaml" "GPT-2 124M" 3 10,000 tokenizer.vocab_size=300 model.vocab_size=50304 \
  data.sequence_length=64 train.global_batch_size=2 train.micro_batch_size=1 train.precision=auto
flips=10000
loads=1000
export LMTRAIN_TEST_FLIPS=$flips LMTRAIN_TEST_LOADS=$loads LMTRAIN_TEST_MOMENTS=50
by_unit "a flipped bit anywhere in a checkpoint, files cut at each 4 KiB; no false alarm in $loads loads" "A: all found" 1 $flips \
  test_trainer Checkpoints.FindsFlippedBitsAndCutFiles
by_unit "a flipped bit in each byte of a manifest" "A: all found" 1 1 test_trainer Checkpoints.EveryByteOfAManifestIsCovered
by_unit "a header of a token file with a wrong field, cut, longer" "B" 1 1 test_data "TokenFile*"
by_unit "hostile safetensors and config.json" "B" 1 1 test_models "Safetensors.*:ConfigJsonOfTransformers.*"
by_unit "hostile YAML: aliases, depth, size, types, duplicates" "B" 1 1 test_base "Yaml*:ConfigReader*"
by_unit "energy counters that wrap, restart, vanish or are denied" "E: right joules, or a gap that is marked" 1 1 test_energy "*"
for ranks in 2 4; do
  by_unit "checkpoints loaded in every other layout" "A: equal to the bit" "$ranks" 1 test_mpi "LayoutCheckpoint.*"
  by_unit "a flipped bit in weights or optimizer of one rank" "D 70: rank and tensor named" "$ranks" 1 test_mpi "ReplicaDrift.*"
  by_unit "a gradient that one rank computes wrong" "D 70: rank named" "$ranks" 1 test_mpi "Replay.*"
  by_unit "a rank that hangs in its own work, in an operation, with and without its thread" "D 76: rank named" "$ranks" 1 test_mpi "Watchdog*"
done
by_test "SIGUSR1 at 50 moments from the start to the end, on one rank and on two; SIGTERM, twice, Ctrl-C; deadlines" \
  "D 75, equal to the bit" stop_test "1, 2"
by_test "a rank stopped in a step or while samples are written, one whose thread stands still; all suspended; a slow rank" \
  "D 76; goes on; named" watchdog_test "1, 2"
by_test "a rank that waits in vain" "D 76" hang_test 2
by_test "two hosts: link down in a step and in a save, a host paused, a host lost, two jobs" "D; A" hosts_test "2 to 4"
by_unit "locks that fail, or are lost while a job is suspended" "B 73, 74" 1 1 test_trainer "HeldFolderTest.*"
by_unit "missing shard, mixed steps, stale folders, shapes that are no file's, every checkpoint damaged" "A; B 66" 1 1 test_trainer \
  "Checkpoints.*"
by_test "other config, wrong values, unwritable output, folder for a file" "B 64, 65, 66, 74" errors_test "1, 2"
by_test "other tokenizer or text" "B 64" data_test "1, 2"
by_test "NaN, spikes, roll-back, a kill after it, a stop before it" "D 70; E; A" numbers_test "1, 2"
by_test "saves killed, gone" "A; C" save_test "1, 2"
[ "$failed" = 0 ] || exit 1

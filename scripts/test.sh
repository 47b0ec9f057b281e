#!/usr/bin/env bash
# Sets up, builds and runs the tests with ctest, whose exit code and summary it ends with.
#   test.sh [CTEST ARGUMENT...]   all tests
#   test.sh --asan [...]          the unit tests, built with the address and undefined sanitizers, and a run of two ranks
#   test.sh --tsan                what works with threads, built with the thread sanitizer
#   test.sh --oracle              computes the reference fixtures afresh with PyTorch and compares
set -euo pipefail
. "$(dirname "$0")/lib.sh"

run_tests() {
  local folder=$1
  shift
  ctest --test-dir "$folder" --output-on-failure --no-tests=error "$@"
}

# LibTorch and Open MPI are not instrumented and keep memory for the life of the process.
sanitizer_settings() {
  export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
  export LSAN_OPTIONS=${LSAN_OPTIONS:-suppressions=$project/scripts/lsan_suppressions.txt:print_suppressions=0}
  export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
}

# Runs with saves beside training, kills and hangs. Leaks are the unit tests' matter: what Open MPI's plugins keep has no
# name any more when they are unloaded.
run_two_ranks() {
  say "two ranks of $1"
  export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
  for test in save_test watchdog_test; do
    bash tests/run/$test.sh "$PWD/$1/lmtrain" "$PWD"
  done
}

case ${1:-} in
  -h | --help)
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    ;;
  --oracle)
    shift
    exec scripts/oracle.sh "$@"
    ;;
  --asan)
    shift
    scripts/setup.sh
    sanitizer_settings
    build asan
    run_tests build-asan --label-regex '^unit$' "$@"
    [ $# -gt 0 ] || run_two_ranks build-asan
    ;;
  --tsan)
    scripts/setup.sh
    # LibTorch and Open MPI are not instrumented.
    export TSAN_OPTIONS=${TSAN_OPTIONS:-ignore_noninstrumented_modules=1}
    # The barriers of OpenMP are not instrumented either: its threads would seem to race.
    export OMP_NUM_THREADS=1
    build tsan lmtrain test_base test_energy test_parallel test_mpi
    # Without the tests of how much memory is taken.
    for program in test_base test_energy test_parallel; do
      build-tsan/$program --gtest_brief=1 --gtest_filter='-MemoryWatch*:YamlReader.SurvivesHostileDocuments*'
    done
    for ranks in 1 2 4; do
      mpirun -n "$ranks" build-tsan/test_mpi --gtest_brief=1 --gtest_filter='Watchdog*:LayoutCheckpoint*:Collectives*:Operation*:ReplicaDrift*'
    done
    say "whole runs, on one core, which makes one thread of OpenMP a rank"
    taskset --cpu-list 0 bash tests/run/save_test.sh "$PWD/build-tsan/lmtrain" "$PWD"
    ;;
  *)
    scripts/setup.sh
    build cpu
    run_tests build "$@"
    ;;
esac

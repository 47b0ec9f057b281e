#!/usr/bin/env bash
# Sets up, builds and runs the tests with ctest, whose exit code and summary it ends with.
#   test.sh [CTEST ARGUMENT...]   all tests
#   test.sh --asan [...]          the unit tests, built with the address and undefined sanitizers
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

case ${1:-} in
  -h | --help)
    sed -n '2,5s/^# \{0,1\}//p' "$0"
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
    ;;
  *)
    scripts/setup.sh
    build cpu
    run_tests build "$@"
    ;;
esac

#!/usr/bin/env bash
# Every fault that this machine can inject, against what docs/reliability.md promises; prints its table. Takes an hour or
# so; a part of it is among the tests.
#   fault_matrix.sh [quick]
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case ${1:-all} in
  -h | --help)
    sed -n '2,4s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
  quick | all) ;;
  *) die "fault_matrix.sh takes 'quick' or nothing" ;;
esac
scripts/setup.sh
install_packages python3 faketime iproute2 procps
build cpu lmtrain faulty_io test_base test_data test_energy test_models test_trainer test_mpi
exec bash tests/faults/faults.sh "$project/build/lmtrain" "$project/build/tests/libfaulty_io.so" "${1:-all}" "$project/build"

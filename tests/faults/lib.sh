# For tests of faults: what tests/run/lib.sh has, and rows for the table of scripts/fault_matrix.sh. Sourced with LMTRAIN set.
# shellcheck shell=bash
# shellcheck source=tests/run/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../run/lib.sh"

# A run of 4 steps that saves twice and keeps one checkpoint, so that removing the old ones is among its calls.
# shellcheck disable=SC2034  # for the scripts that source this
steps=(train.steps=4 checkpoint.interval=2 checkpoint.keep=1 eval.interval=0 eval.samples=0 energy.interval_seconds=1)

# Runs so many ranks with one thread each.
ranks() {
  local count=$1
  shift
  if [ "$count" = 1 ]; then
    "$LMTRAIN" "$@"
  else
    mpirun -n "$count" "$LMTRAIN" "$@"
  fi
}

# row FAULT RANKS TIMES PROMISED [SEEN]: a row of the table. A script that comes to it has seen what is promised, unless it says what
# it saw.
row() { printf 'ROW|%s|%s|%s|%s|%s\n' "$1" "$2" "$3" "$4" "${5:-as promised}"; }

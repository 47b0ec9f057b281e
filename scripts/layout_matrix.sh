#!/usr/bin/env bash
# Every layout against one rank: trains tiny models of each kind for 50 steps in all layouts of up to RANKS ranks
# (default 8) and compares losses, gradients and weights; prints the table of docs/measurements/layout_matrix.txt.
#   layout_matrix.sh [RANKS [FIRST]]    FIRST: continues a run that was stopped after so many cells
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case ${1:-8} in
  -h | --help)
    sed -n '2,4s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
  *[!0-9]* | 0) die "layout_matrix.sh takes a number of ranks" ;;
esac
case ${2:-0} in
  *[!0-9]*) die "layout_matrix.sh takes a number of cells to pass over" ;;
esac
scripts/setup.sh
build cpu layout_matrix
exec mpirun --oversubscribe -n "${1:-8}" build/layout_matrix --all "${@:2}"

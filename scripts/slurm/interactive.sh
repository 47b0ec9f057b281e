#!/usr/bin/env bash
# Trains in the terminal, on an allocation that ends with the program; Ctrl-C saves and ends it.
#   scripts/slurm/interactive.sh --nodes=1 --ntasks-per-node=4 --time=30 -- CONFIG [KEY=VALUE...]
set -euo pipefail

allocation=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  allocation+=("$1")
  shift
done
if [ $# -lt 2 ]; then
  sed -n '2,3s/^# \{0,1\}//p' "$0"
  exit 64
fi
shift
exec salloc --signal=USR1@120 "${allocation[@]}" srun --mpi=pmix --disable-status --kill-on-bad-exit=0 --wait=60 "${LMTRAIN:-lmtrain}" "$@"

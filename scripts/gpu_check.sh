#!/usr/bin/env bash
# On a machine with GPUs: builds the cuda preset with the torch, NCCL and compilers that are there, runs the tests
# labelled gpu, and prints a table. Needs no network; docs/gpu.md says which libraries must be there.
#   gpu_check.sh               builds first
#   gpu_check.sh --no-build    takes build-cuda as it is
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case ${1:-} in
  "" | --no-build) ;;
  *)
    sed -n '2,5s/^# \{0,1\}//p' "$0"
    if [ "$1" = --help ] || [ "$1" = -h ]; then exit 0; else exit 64; fi
    ;;
esac
command -v nvidia-smi >/dev/null || die "no nvidia-smi: this is for machines with NVIDIA GPUs"
nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader

if [ "${1:-}" != --no-build ]; then
  LIBTORCH=${LIBTORCH:-$(python_torch)}
  [ -n "$LIBTORCH" ] || die "no LibTorch: set LIBTORCH to its folder, or install the torch package of python3"
  export LIBTORCH
  build cuda
fi
build-cuda/lmtrain --version
results=build-cuda/gpu_check.txt
code=0
ctest --test-dir build-cuda --label-regex '^gpu$' --output-on-failure --no-tests=error | tee "$results" || code=$?
if grep -q Skipped "$results"; then
  say "tests were skipped: LibTorch sees no GPU (build-cuda/lmtrain doctor says more)"
  code=1
fi
echo
echo "| test | result | seconds |"
echo "|---|---|---|"
sed -nE 's/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: ([^ ]+) \.+ *(\**)?([A-Za-z ]+[a-z]) +([0-9.]+) sec.*/| \1 | \3 | \4 |/p' "$results"
exit "$code"

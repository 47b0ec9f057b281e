#!/usr/bin/env bash
# Benchmark on a GPU: lmtrain's ordinary training command (build-cuda, which gpu_check.sh builds) against the GPT-2
# of the transformers package, in turn. Needs no network where corpus/debian is there. Arguments go to bench.py.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case ${1:-} in
  -h | --help)
    sed -n '2,3s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
[ -x build-cuda/lmtrain ] || die "build-cuda/lmtrain is missing: run scripts/gpu_check.sh first"
scripts/make_corpus.sh debian
python3 -c 'import torch, transformers' 2>/dev/null ||
  die "python3 has no torch and transformers, which lmtrain is compared with"
nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader
exec python3 scripts/bench.py --size gpu-124m --precision bf16 "$@"

#!/usr/bin/env bash
# Builds the cuda preset where there need not be a GPU. What is missing comes from wheels: LibTorch with its
# CUDA libraries is the oracle's (scripts/test.sh --oracle installs it) unless LIBTORCH names one, a CUDA
# toolkit goes into .deps/cuda.
#   build_cuda.sh [TARGET...]
#   build_cuda.sh --check [TARGET...]   only sees that it builds: without optimisation, in build-cuda-check
set -euo pipefail
. "$(dirname "$0")/lib.sh"

toolkit=$deps/cuda
toolkit_wheels=(
  nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-cccl==13.0.85
  nvidia-cuda-runtime==13.0.96
)

have_nvcc() { command -v nvcc >/dev/null || [ -x "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" ]; }

install_toolkit() {
  if [ -e "$toolkit/nvidia/cu13/lib/libcudart.so" ]; then return; fi
  say "installing the CUDA compiler from its wheels (80 MB) into .deps/cuda"
  install_wheels "$toolkit" --no-deps "${toolkit_wheels[@]}"
  # A wheel brings no name without a version, which CMake looks for.
  ln -s libcudart.so.13 "$toolkit/nvidia/cu13/lib/libcudart.so"
}

preset=cuda
if [ "${1:-}" = --check ]; then
  preset=cuda-check
  shift
fi
scripts/setup.sh
if [ -z "${LIBTORCH:-}" ]; then
  for folder in "$deps"/oracle/lib/python3*/site-packages/torch; do
    if [ -e "$folder/lib/libtorch_cuda.so" ]; then export LIBTORCH=$folder; fi
  done
fi
if ! have_nvcc && [ -z "${CUDACXX:-}" ]; then
  with_lock cuda install_toolkit
  export CUDACXX=$toolkit/nvidia/cu13/bin/nvcc
fi
build "$preset" "$@"

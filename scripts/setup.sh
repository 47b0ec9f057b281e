#!/usr/bin/env bash
# Installs what a build of lmtrain needs and is missing: Debian packages with apt, and LibTorch. Does
# nothing, and touches no network, when all is there. The LibTorch it chose is in .deps/libtorch.path:
#   1. the folder that the environment variable LIBTORCH names
#   2. the choice of an earlier set-up, while it is usable
#   3. the torch package of the python3 on the PATH, 2.11 or newer
#   4. the torch wheel in .deps/libtorch: the whole set with an NVIDIA GPU, else the slim CPU set
set -euo pipefail
. "$(dirname "$0")/lib.sh"

if [ $# -gt 0 ]; then
  sed -n '2,7s/^# \{0,1\}//p' "$0"
  if [ "$1" = --help ] || [ "$1" = -h ]; then exit 0; else exit 64; fi
fi

packages=(
  g++ cmake ninja-build ccache git ca-certificates python3 python3-pip
  openmpi-bin libopenmpi-dev libhdf5-dev libyaml-cpp-dev libspdlog-dev libgtest-dev libcli11-dev
  nlohmann-json3-dev libxxhash-dev zlib1g-dev libssl-dev libzstd-dev libcpp-httplib-dev
  procps iproute2  # for tests of several hosts
)
torch=torch==2.11.0
# What libtorch_cpu itself loads; the rest of the wheel's dependencies serves Python and GPUs.
slim_set=("$torch" nvidia-cuda-cupti==13.0.85 nvidia-cuda-runtime==13.0.96)
wheel=$deps/libtorch

have_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU'; }

# Prints MAJOR.MINOR of the LibTorch in a folder; fails when there is none.
libtorch_version() {
  [ -e "$1/lib/libtorch_cpu.so" ] || return 1
  sed -n 's/^#define TORCH_VERSION_\(MAJOR\|MINOR\) \([0-9]*\).*/\2/p' \
    "$1/include/torch/headeronly/version.h" 2>/dev/null | paste -sd.
}

usable() {
  local version
  version=$(libtorch_version "$1") || return 1
  [ "${version%%.*}" -gt 2 ] || { [ "${version%%.*}" = 2 ] && [ "${version#*.}" -ge 11 ]; }
}

# The wheel in .deps must hold the GPU's libraries once there is a GPU.
whole_enough() { [ "$1" != "$wheel/torch" ] || ! have_gpu || [ -d "$wheel/nvidia/nccl" ]; }

need_disk() {
  local gigabytes=$1 free
  free=$(df --output=avail -B1G "$deps" | tail -1)
  [ "$free" -ge "$gigabytes" ] ||
    die "LibTorch needs $gigabytes GB of disk while it is installed, and $deps has $free GB free"
}

install_libtorch() {
  if have_gpu; then
    need_disk 14
    say "installing LibTorch with CUDA from the torch wheel (several GB) into .deps/libtorch"
    install_wheels "$wheel" "$torch"
  else
    need_disk 4
    say "installing LibTorch from the torch wheel (about 530 MB) into .deps/libtorch"
    install_wheels "$wheel" --no-deps "${slim_set[@]}"
  fi
  usable "$wheel/torch" || die "the torch wheel holds no LibTorch 2.11: $wheel/torch"
}

# Leaves the folder in the variable `libtorch`.
choose_libtorch() {
  if [ -n "${LIBTORCH:-}" ]; then
    libtorch=$(realpath "$LIBTORCH")
    usable "$libtorch" ||
      die "LIBTORCH=$LIBTORCH is no LibTorch 2.11 or newer (lib/libtorch_cpu.so, include/torch)"
    return
  fi
  if [ -s "$deps/libtorch.path" ]; then
    libtorch=$(<"$deps/libtorch.path")
    if usable "$libtorch" && whole_enough "$libtorch"; then return; fi
  fi
  libtorch=$(python_torch || true)  # no python3, or one that fails: the same as one without torch
  if [ -n "$libtorch" ]; then
    if usable "$libtorch"; then return; fi
    say "python3's torch at $libtorch is older than 2.11 and is not used"
  fi
  libtorch=$wheel/torch
  if ! usable "$libtorch" || ! whole_enough "$libtorch"; then install_libtorch; fi
}

set_up() {
  local libtorch
  install_packages "${packages[@]}"
  choose_libtorch
  echo "$libtorch" >"$deps/libtorch.path.new"
  mv "$deps/libtorch.path.new" "$deps/libtorch.path"
  say "LibTorch $(libtorch_version "$libtorch"): $libtorch"
}

with_lock setup set_up

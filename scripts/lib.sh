# Functions that the scripts share; sourced, never run. Leaves the caller in the project's folder.
# shellcheck shell=bash

shopt -s inherit_errexit
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$project/.deps
oracle=$deps/oracle  # PyTorch, transformers and tokenizers, for tests and the benchmark
cd "$project" || exit 1

say() { printf '== %s\n' "$*"; }
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Open MPI refuses root and more ranks than cores unless told otherwise.
if [ "$(id -u)" = 0 ]; then
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
export OMPI_MCA_rmaps_base_oversubscribe=1
# Lets ccache serve files that are compiled with a precompiled header, and those that another build folder or another
# clone has compiled alike.
export CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-pch_defines,time_macros}
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$project} CCACHE_NOHASHDIR=${CCACHE_NOHASHDIR:-true}

# with_lock NAME COMMAND...: waits until no other process of this checkout holds NAME. What COMMAND starts
# holds it too: a pip that outlives a killed script keeps the next one waiting.
with_lock() {
  local name=$1 lock
  shift
  mkdir -p "$deps"
  exec {lock}>"$deps/$name.lock"
  if ! flock --nonblock "$lock"; then
    say "waiting for another process that holds .deps/$name.lock"
    flock "$lock"
  fi
  "$@"
  exec {lock}>&-
}

# need_root COMMAND...: runs it as root, directly or through sudo.
need_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    return 1
  fi
}

# Prints those of the named Debian packages that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null |
      grep -qx installed || echo "$package"
  done
}

# install_packages NAME...: nothing, and no network, when all are there.
install_packages() {
  local missing
  command -v dpkg-query >/dev/null ||
    die "this is not Debian or a relative of it: see docs/install.md for other systems (needed: $*)"
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    die "neither root nor sudo, so these packages cannot be installed:" \
      "ask for 'apt-get install ${missing[*]}', or see docs/install.md"
  fi
  say "installing with apt: ${missing[*]}"
  need_root apt-get update -q || say "apt-get update failed; going on with the package lists at hand"
  need_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    "${missing[@]}" || die "apt-get could not install: ${missing[*]}"
}

# fetch_package NAME FOLDER: unpacks a Debian package into FOLDER without installing it.
fetch_package() {
  local name=$1 folder=$2
  mkdir -p "$folder/deb"
  # apt's own sandbox user may not write into a private folder.
  if ! (cd "$folder/deb" && apt-get download -qq -o APT::Sandbox::User=root "$name"); then
    need_root apt-get update -q || die "no package lists: run 'apt-get update' as root first"
    (cd "$folder/deb" && apt-get download -qq -o APT::Sandbox::User=root "$name") ||
      die "the Debian package $name could not be downloaded"
  fi
  dpkg -x "$folder"/deb/"$name"_*.deb "$folder"
  rm -r "$folder/deb"
}

python_with_pip() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -m pip --version >/dev/null 2>&1; then
      echo "$python"
      return
    fi
  done
  die "no python3 with pip: install the package python3-pip"
}

# The folder of the torch package of the python3 on the PATH; empty without one.
python_torch() {
  python3 -c 'import importlib.util as u
s = u.find_spec("torch")
print(s.submodule_search_locations[0] if s and s.submodule_search_locations else "")' 2>/dev/null
}

# install_wheels FOLDER PIP_ARGUMENT...: installs beside and renames, so that an interrupted download
# leaves nothing half.
install_wheels() {
  local folder=$1 partial=$1.partial python
  shift
  python=$(python_with_pip)
  rm -rf "$partial"
  # shellcheck disable=SC2064  # the path of now
  trap "rm -rf '$partial'" EXIT
  mkdir -p "$partial/tmp"
  # pip unpacks in TMPDIR before it moves: keep that on the same disk. Debian's pip refuses to install
  # at all without the last variable, though --target leaves the system alone.
  TMPDIR=$partial/tmp PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_BREAK_SYSTEM_PACKAGES=1 \
    "$python" -m pip install --quiet --no-compile --target "$partial/site" "$@" ||
    die "pip could not install: $*; run this again (docs/install.md says how to do without pip)"
  rm -rf "$folder"
  mv "$partial/site" "$folder"
}

# Debian has venv's installer in a package of its own.
venv_python() {
  python3 -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
  if python3 -c 'import ensurepip' 2>/dev/null; then echo python3; else echo /usr/bin/python3; fi
}

# The copy of the requirements is written last: without it, or with another one, all starts anew.
install_oracle() {
  local python
  if cmp -s scripts/oracle_requirements.txt "$oracle/requirements.txt"; then return; fi
  say "installing PyTorch, transformers and tokenizers (several GB) into .deps/oracle"
  python=$(venv_python)
  rm -rf "$oracle"
  "$python" -m venv "$oracle"
  mkdir "$oracle/tmp"
  TMPDIR=$oracle/tmp PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    "$oracle/bin/python" -m pip install --quiet -r scripts/oracle_requirements.txt ||
    die "pip could not install the packages of scripts/oracle_requirements.txt; run this again"
  rm -r "$oracle/tmp"
  cp scripts/oracle_requirements.txt "$oracle/requirements.txt"
}

# Compile jobs: one a core, and 1.5 GB of memory for each.
build_jobs() {
  local cores by_memory
  cores=$(nproc)
  by_memory=$(awk '/^MemAvailable:/ {print int($2 / 1500000)}' /proc/meminfo)
  if [ "$by_memory" -lt 1 ]; then by_memory=1; fi
  echo $((cores < by_memory ? cores : by_memory))
}

# configure PRESET: with ccache where it is there, and the LibTorch that LIBTORCH names or setup.sh chose.
configure() {
  local launcher=()
  if command -v ccache >/dev/null; then
    launcher=(-DCMAKE_{C,CXX,CUDA}_COMPILER_LAUNCHER=ccache)
  fi
  # CUDA's launcher is unused in most presets.
  cmake --preset "$1" --no-warn-unused-cli "${launcher[@]}" \
    -DLIBTORCH="$(realpath "${LIBTORCH:-$(<"$deps/libtorch.path")}")"
}

# build PRESET [TARGET...]
build() {
  local preset=$1 targets=()
  shift
  if [ $# -gt 0 ]; then targets=(--target "$@"); fi
  configure "$preset"
  with_lock "build-$preset" cmake --build --preset "$preset" --parallel "$(build_jobs)" "${targets[@]}"
}

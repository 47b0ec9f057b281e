#!/usr/bin/env bash
# Checks the form of the project's files: clang-format, the width of comments, clang-tidy with the compile database of
# the cpu preset, shellcheck.
#   check_format.sh [FILE...]    limits clang-format and clang-tidy to those files
#   check_format.sh --comments   the width of comments alone, which needs none of these programs
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# clang-format leaves comments alone, so that diagrams stay whole.
check_comments() {
  if LC_ALL=C.UTF-8 grep -nHP '^(?=.{101})(.*\s)?//' "$@"; then die "these comments are wider than 100 columns"; fi
}

layers=(base data energy parallel models trainer)
all_sources() { find "${layers[@]}" tests examples '(' -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh' ')' | sort; }

if [ "${1:-}" = --comments ]; then
  mapfile -t sources < <(all_sources)
  check_comments "${sources[@]}"
  exit 0
fi

tools=()
for tool in clang-format clang-tidy shellcheck; do
  command -v "$tool" >/dev/null || tools+=("$tool")
done
if [ ${#tools[@]} -gt 0 ]; then install_packages "${tools[@]}"; fi

mapfile -t sources < <(
  if [ $# -gt 0 ]; then
    printf '%s\n' "$@"
  else
    all_sources
  fi
)

say "clang-format: ${#sources[@]} files"
clang-format --dry-run -Werror "${sources[@]}"
check_comments "${sources[@]}"

if [ $# = 0 ]; then
  say "shellcheck"
  shellcheck --external-sources --source-path=SCRIPTDIR .ci/run scripts/*.sh tests/scripts/*.sh tests/run/*.sh tests/faults/*.sh
fi

# clang-tidy needs the compile commands and the generated header, not the objects.
if [ ! -e .deps/libtorch.path ]; then scripts/setup.sh; fi
configure cpu >/dev/null
cmake --build build --target lmtrain_build_info >/dev/null

# Beside the header that the commands name lies what g++ made of it, which clang refuses: it takes a copy of the header.
database=$(mktemp -d)
trap 'rm -rf "$database"' EXIT
cp build/CMakeFiles/lmtrain_parallel.dir/cmake_pch.hxx "$database/"
sed -E "s/ -Winvalid-pch//; s/ -Wno-(restrict|dangling-reference)//g; s/ -fpch-[a-z-]+//g; s#-include [^ ]*/cmake_pch.hxx#-include $database/cmake_pch.hxx#" \
  build/compile_commands.json \
  >"$database/compile_commands.json"

mapfile -t units < <(printf '%s\n' "${sources[@]}" | grep -E "^($(IFS='|'; echo "${layers[*]}"))/.*\.cpp$" |
  grep -vE '^parallel/cuda/')
say "clang-tidy: ${#units[@]} files"
printf '%s\0' "${units[@]}" | xargs -0 -P "$(build_jobs)" -n 4 clang-tidy --quiet -p "$database"

#!/usr/bin/env bash
# Holds docs/extending.md to the additions of examples/extending.
#   check_extending.sh [BUILD]    each patch applies to a copy of the project and touches only files that its section of
#                                 the guide names; with a build folder, also compiles the files that it touches
#   check_extending.sh --build    builds the copy too, runs its tests of the parts, and verifies layouts with them
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case ${1:-} in
  -h | --help)
    sed -n '2,5s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r CMakeLists.txt CMakePresets.json base cmake configs data energy examples models parallel scripts tests trainer "$copy"

# The section of the guide under a title, up to the next title.
section() {
  awk -v title="## $1" '$0 == title {inside = 1; next} /^## / {inside = 0} inside' docs/extending.md
}

# touched PATCH...: the files that they add or change.
touched() {
  sed -n 's|^+++ b/||p' "$@"
}

# check PATCH TITLE NAME: the part is called NAME in the patch, and NAME in the guide stands for it.
check() {
  local patch=$project/examples/extending/$1 file
  git -C "$copy" apply "$patch" || die "examples/extending/$1 does not apply any more; make it again"
  for file in $(touched "$patch"); do
    section "$2" | grep -F "${file/\/$3/\/NAME}" >/dev/null ||
      die "examples/extending/$1 touches $file, which the section \"$2\" of docs/extending.md does not name"
  done
}

check family.patch "Add a model family" parrot
check optimizer.patch "Add an optimizer" lion
check meter.patch "Add a meter" shelf_meter
echo "the additions of examples/extending apply, and docs/extending.md names their files"
[ $# -gt 0 ] || exit 0

# compiling PATTERN: how BUILD compiles the first file whose path from the project's folder is like that.
compiling() {
  sed -n "s|^ *\"command\": \"\(.*-c $project/$1\)\",\$|\1|; T; p; q" "$build/compile_commands.json"
}

# command_of FILE: how BUILD compiles it, or where it is new the first file of its folder or of the one above.
command_of() {
  local folder=$1 found
  found=$(compiling "$1")
  while [ -z "$found" ]; do
    folder=$(dirname "$folder")
    [ "$folder" != . ] || die "$build/compile_commands.json compiles no file beside $1"
    found=$(compiling "$folder/[a-z0-9_]*\.cpp")
  done
  # shellcheck disable=SC2001
  sed 's/\\\(["\\]\)/\1/g' <<<"$found"  # out of JSON
}

if [ "$1" != --build ]; then
  build=$(cd "$1" && pwd)
  for file in $(touched examples/extending/*.patch | grep '\.cpp$'); do
    command=$(command_of "$file")
    command=${command% -o *}
    (cd "$build" && eval "${command/-I$project /-I$copy } -fsyntax-only -c $copy/$file") || die "$file does not compile"
  done
  echo "they compile"
  exit 0
fi

scripts/setup.sh
(
  cd "$copy"
  build cpu lmtrain test_models test_trainer test_energy
  for tests in Families Parrot LionSteps ShelfMeters; do
    ctest --test-dir build --output-on-failure --no-tests=error -R "$tests"
  done
)
scripts/make_corpus.sh fortunes
for words in "model.kind=parrot model.sliding_window=8" "optimizer.kind=lion optimizer.lr=1e-4" \
  "optimizer.kind=lion train.precision=fp64"; do
  # shellcheck disable=SC2086
  mpirun -n 4 "$copy/build/lmtrain" verify configs/gpt2-tiny.yaml $words parallel.tensor=2 parallel.zero=3
done

#!/usr/bin/env bash
# Defect: an installation that find_package(lmtrain) cannot use, or a program of it that loads libraries from the source
# folder, which may go; a source folder that add_subdirectory cannot; another
# project that gets lmtrain's -Werror, warnings, tests or install rules along with its libraries.
LMTRAIN=$1
source=$2
build=$(dirname "$LMTRAIN")
unset LIBTORCH CMAKE_PREFIX_PATH
. "$(dirname "$0")/lib.sh"

# The value of a variable in the cache of the build under test.
cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }

# configure SOURCE BUILD [ARGUMENT...]: with the compiler of the build under test and the libraries it found.
configure() {
  cmake -G Ninja -S "$1" -B "$2" -DCMAKE_CXX_COMPILER="$(cached CMAKE_CXX_COMPILER)" \
    -DCMAKE_PREFIX_PATH="$PWD/prefix;$(cached CMAKE_PREFIX_PATH)" "${@:3}" > configure.log 2>&1 ||
    fail "configuring $1: $(tail -20 configure.log)"
}

# refuses PATTERN FILE...: no file has a line of that pattern.
refuses() {
  local found
  if found=$(grep -E -- "$1" "${@:2}"); then fail "'$1' is in: $(head -c 2000 <<< "$found")"; fi
}

# Installed: the example finds the libraries and prints the text of the program.
cmake --install "$build" --prefix "$PWD/prefix" > install.log 2>&1 || fail "cmake --install: $(tail -3 install.log)"
mapfile -t exported < <(find prefix -name 'lmtrainTargets*.cmake')
[ ${#exported[@]} -ge 2 ] || fail "the prefix holds no lmtrainTargets.cmake"
refuses "$source|$build" "${exported[@]}"
cp -r "$source/examples" example
configure example example-build
grep -q "$PWD/prefix/include/lmtrain" example-build/build.ninja || fail "the example does not include the installed headers"
refuses "-Wall|$source/base" example-build/build.ninja
cmake --build example-build > build.log 2>&1 || fail "building the example: $(tail -20 build.log)"
# Nothing of the source folder is needed any more.
{ ldd prefix/bin/lmtrain; readelf -d prefix/bin/lmtrain; } > libraries
grep -q "libtorch_cpu.so => /" libraries || fail "the installed program finds no LibTorch: $(grep torch libraries)"
refuses "$source/|$build/" libraries
"$PWD/prefix/bin/lmtrain" config.yaml train.steps=5 > run.log 2>&1 || fail "the installed program: $(tail -3 run.log)"
for seed in 1 7; do
  "$LMTRAIN" generate runs/test --prompt "the of" --seed "$seed" > "program.$seed"
  example-build/generate runs/test "the of" "$seed" > "example.$seed" 2>&1 || fail "the example: $(tail -3 "example.$seed")"
  diff "program.$seed" "example.$seed" || fail "the example's text is not that of lmtrain generate --seed $seed"
done
cmp -s example.1 example.7 && fail "two seeds gave the same text, so that comparing texts shows nothing"
cmake -S example -B other-torch -DCMAKE_PREFIX_PATH="$PWD/prefix" -DLIBTORCH=/nowhere > configure.log 2>&1 &&
  fail "a LIBTORCH that does not exist was accepted"
grep -q "No LibTorch at LIBTORCH='/nowhere'" configure.log || fail "a wrong LIBTORCH is not named: $(tail -5 configure.log)"

# Added as a folder, by the example of a project of one file, which -Wall -Wextra -Werror would refuse.
mkdir tiny
cp -r example tiny/
cat > tiny/CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(tiny LANGUAGES CXX)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
enable_testing()
add_subdirectory(example)
foreach(part base tokenizer data energy parallel models trainer)
  if(NOT TARGET lmtrain::${part})
    message(FATAL_ERROR "There is no target lmtrain::${part}.")
  endif()
endforeach()
add_library(tiny OBJECT tiny.cpp)
target_link_libraries(tiny PRIVATE lmtrain::trainer)
CMAKE
cat > tiny/tiny.cpp <<'CPP'
#include "base/text.h"
std::string tiny(int unused) {
  int never_read;
  return lmtrain::cat(1);
}
CPP
configure tiny tiny-build -DLMTRAIN_SOURCE="$source" -DLIBTORCH="$(cached LIBTORCH)"
commands=tiny-build/compile_commands.json
grep -q "$source/trainer/inference/engine.cpp" "$commands" || fail "lmtrain's sources are not in the build of tiny"
refuses "-Werror" "$commands"
cmake --build tiny-build --target CMakeFiles/tiny.dir/tiny.cpp.o > build.log 2>&1 || fail "tiny.cpp: $(tail -20 build.log)"
ctest --test-dir tiny-build -N > ctest.log
grep -q "Total Tests: 0" ctest.log || fail "the tests of lmtrain are in tiny: $(tail -3 ctest.log)"
mapfile -t rules < <(find tiny-build -name cmake_install.cmake)
refuses "file\(INSTALL" "${rules[@]}"
configure tiny tiny-build -DLMTRAIN_WARNINGS_AS_ERRORS=ON
grep "$source/base/text.cpp" "$commands" | grep -q -- -Werror || fail "LMTRAIN_WARNINGS_AS_ERRORS=ON adds no -Werror"
grep "tiny/tiny.cpp" "$commands" | refuses "-W(all|error)" -

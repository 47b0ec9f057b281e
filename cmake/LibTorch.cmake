# LibTorch as the imported target lmtrain::torch. Not find_package(Torch): on a CUDA build of torch that
# demands a CUDA toolkit of the same version even for plain C++.
#
# LIBTORCH (cache variable or environment) names a folder with include/ and lib/: an unpacked LibTorch or a
# Python package's torch folder. scripts/setup.sh leaves its choice in .deps/libtorch.path. What is wrong with the
# folder goes to LMTRAIN_MISSING. The file is installed too, for lmtrainConfig.cmake.

if(NOT LIBTORCH AND DEFINED ENV{LIBTORCH})
  set(LIBTORCH $ENV{LIBTORCH})
endif()
if(NOT LIBTORCH AND EXISTS ${CMAKE_CURRENT_LIST_DIR}/../.deps/libtorch.path)
  file(STRINGS ${CMAKE_CURRENT_LIST_DIR}/../.deps/libtorch.path LIBTORCH LIMIT_COUNT 1)
endif()
if(NOT EXISTS "${LIBTORCH}/lib/libtorch_cpu.so")
  set(LMTRAIN_MISSING "No LibTorch at LIBTORCH='${LIBTORCH}' (lib/libtorch_cpu.so is missing). "
    "Run scripts/setup.sh, or pass -DLIBTORCH=FOLDER with an existing one (docs/install.md).")
  return()
endif()
set(LIBTORCH "${LIBTORCH}" CACHE PATH "Folder of LibTorch" FORCE)

file(STRINGS "${LIBTORCH}/include/torch/headeronly/version.h" version_lines
  REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
string(REGEX REPLACE "[^0-9;]" "" version_parts "${version_lines}")
list(JOIN version_parts "." LIBTORCH_VERSION)
if(LIBTORCH_VERSION VERSION_LESS 2.11)
  set(LMTRAIN_MISSING "LibTorch ${LIBTORCH_VERSION} at ${LIBTORCH} is older than 2.11, which lmtrain needs.")
  return()
endif()

if(TARGET lmtrain::torch)
  return()
endif()
message(STATUS "LibTorch ${LIBTORCH_VERSION}: ${LIBTORCH}")
add_library(lmtrain::torch INTERFACE IMPORTED)
target_include_directories(lmtrain::torch SYSTEM INTERFACE
  ${LIBTORCH}/include ${LIBTORCH}/include/torch/csrc/api/include)
target_link_libraries(lmtrain::torch INTERFACE
  ${LIBTORCH}/lib/libtorch_cpu.so ${LIBTORCH}/lib/libc10.so)
# The wheel's own libraries (CUPTI, CUDA runtime) lie in sibling packages and are found through RPATHs of
# libtorch itself; at link time they need not resolve.
target_link_options(lmtrain::torch INTERFACE -Wl,--allow-shlib-undefined -Wl,--disable-new-dtags)

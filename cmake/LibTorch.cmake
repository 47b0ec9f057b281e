# LibTorch as the imported target lmtrain::torch. Not find_package(Torch): on a CUDA build of torch that
# demands a CUDA toolkit of the same version even for plain C++.
#
# LIBTORCH (cache variable or environment) names a folder with include/ and lib/: an unpacked LibTorch or a
# Python package's torch folder. scripts/setup.sh leaves its choice in .deps/libtorch.path.

if(NOT LIBTORCH AND DEFINED ENV{LIBTORCH})
  set(LIBTORCH $ENV{LIBTORCH})
endif()
if(NOT LIBTORCH AND EXISTS ${CMAKE_SOURCE_DIR}/.deps/libtorch.path)
  file(STRINGS ${CMAKE_SOURCE_DIR}/.deps/libtorch.path LIBTORCH LIMIT_COUNT 1)
endif()
if(NOT EXISTS "${LIBTORCH}/lib/libtorch_cpu.so")
  message(FATAL_ERROR "No LibTorch at LIBTORCH='${LIBTORCH}' (lib/libtorch_cpu.so is missing). "
    "Run scripts/setup.sh, or pass -DLIBTORCH=FOLDER with an existing one (docs/install.md).")
endif()
set(LIBTORCH "${LIBTORCH}" CACHE PATH "Folder of LibTorch" FORCE)

file(STRINGS "${LIBTORCH}/include/torch/headeronly/version.h" version_lines
  REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
string(REGEX REPLACE "[^0-9;]" "" version_parts "${version_lines}")
list(JOIN version_parts "." LIBTORCH_VERSION)
if(LIBTORCH_VERSION VERSION_LESS 2.11)
  message(FATAL_ERROR "LibTorch ${LIBTORCH_VERSION} at ${LIBTORCH} is older than 2.11, which lmtrain needs.")
endif()
message(STATUS "LibTorch ${LIBTORCH_VERSION}: ${LIBTORCH}")

add_library(lmtrain_torch INTERFACE)
add_library(lmtrain::torch ALIAS lmtrain_torch)
target_include_directories(lmtrain_torch SYSTEM INTERFACE
  ${LIBTORCH}/include ${LIBTORCH}/include/torch/csrc/api/include)
target_link_libraries(lmtrain_torch INTERFACE
  ${LIBTORCH}/lib/libtorch_cpu.so ${LIBTORCH}/lib/libc10.so)
# The wheel's own libraries (CUPTI, CUDA runtime) lie in sibling packages and are found through RPATHs of
# libtorch itself; at link time they need not resolve.
target_link_options(lmtrain_torch INTERFACE -Wl,--allow-shlib-undefined
  -Wl,--disable-new-dtags -Wl,-rpath,${LIBTORCH}/lib)
set(CMAKE_INSTALL_RPATH ${LIBTORCH}/lib)

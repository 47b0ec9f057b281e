# The GPU half of LibTorch, the CUDA runtime and NCCL as lmtrain::cuda. Needs LIBTORCH and the result of
# find_package(CUDAToolkit). What is not found goes to LMTRAIN_MISSING. The file is installed too, for
# lmtrainConfig.cmake.

if(NOT EXISTS ${LIBTORCH}/lib/libtorch_cuda.so)
  set(LMTRAIN_MISSING "The LibTorch at ${LIBTORCH} has no CUDA (lib/libtorch_cuda.so is missing). "
    "Name one that has with -DLIBTORCH=FOLDER, or build the cpu preset.")
  return()
endif()

# A wheel's CUDA libraries lie in packages beside torch.
get_filename_component(wheels ${LIBTORCH}/../nvidia ABSOLUTE)
set(wheel_cuda ${wheels}/cu${CUDAToolkit_VERSION_MAJOR})
file(GLOB LMTRAIN_CUDART ${wheel_cuda}/lib/libcudart.so.*)
if(NOT LMTRAIN_CUDART)
  set(LMTRAIN_CUDART ${CUDA_CUDART})
endif()
find_path(NCCL_INCLUDE_DIR nccl.h
  HINTS ${wheels}/nccl/include ENV NCCL_HOME ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES include)
find_library(NCCL_LIBRARY NAMES libnccl.so.2 nccl
  HINTS ${wheels}/nccl/lib ENV NCCL_HOME ${CUDAToolkit_LIBRARY_DIR} PATH_SUFFIXES lib lib64)
if(NOT NCCL_INCLUDE_DIR OR NOT NCCL_LIBRARY)
  set(LMTRAIN_MISSING "NCCL was not found beside LibTorch (${wheels}/nccl), under NCCL_HOME or in the system. "
    "The torch wheel's whole set brings it: python3 -m pip install torch==${LIBTORCH_VERSION}.")
  return()
endif()

if(TARGET lmtrain::cuda)
  return()
endif()
message(STATUS "CUDA ${CUDAToolkit_VERSION}, runtime ${LMTRAIN_CUDART}, NCCL ${NCCL_LIBRARY}")
add_library(lmtrain::cuda INTERFACE IMPORTED)
# LibTorch's headers want cuBLAS's and others', which a small toolkit lacks.
target_include_directories(lmtrain::cuda SYSTEM INTERFACE
  ${NCCL_INCLUDE_DIR} ${CUDAToolkit_INCLUDE_DIRS} ${wheel_cuda}/include)
# LibTorch finds its CUDA half by static registration, which no symbol refers to.
target_link_libraries(lmtrain::cuda INTERFACE
  -Wl,--no-as-needed ${LIBTORCH}/lib/libtorch_cuda.so ${LIBTORCH}/lib/libc10_cuda.so -Wl,--as-needed
  ${NCCL_LIBRARY} ${LMTRAIN_CUDART})

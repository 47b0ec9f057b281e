# lmtrain_add_cuda(): NCCL communicator and kernels, linked with the GPU half of LibTorch. Needs a CUDA
# toolkit of LibTorch's major version and NCCL; no GPU.

if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(nvcc nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES bin)
  if(NOT nvcc)
    message(FATAL_ERROR "The cuda preset needs a CUDA toolkit: no nvcc on the PATH, under CUDA_HOME or in "
      "/usr/local/cuda. Install one, or build the cpu preset.")
  endif()
  set(CMAKE_CUDA_COMPILER ${nvcc})
endif()
if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80 90)
endif()
if(NOT CMAKE_CUDA_HOST_COMPILER)
  set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
endif()
# One CUDA runtime in the process, the one that LibTorch loads.
set(CMAKE_CUDA_RUNTIME_LIBRARY None)
set(CMAKE_CUDA_STANDARD 17)  # CMake 3.25 does not know nvcc's C++20
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)

if(NOT EXISTS ${LIBTORCH}/lib/libtorch_cuda.so)
  message(FATAL_ERROR "The LibTorch at ${LIBTORCH} has no CUDA (lib/libtorch_cuda.so is missing). "
    "Name one that has with -DLIBTORCH=FOLDER, or build the cpu preset.")
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
  message(FATAL_ERROR "NCCL was not found beside LibTorch (${wheels}/nccl), under NCCL_HOME or in the system. "
    "The torch wheel's whole set brings it: python3 -m pip install torch==${LIBTORCH_VERSION}.")
endif()
message(STATUS "CUDA ${CUDAToolkit_VERSION}, runtime ${LMTRAIN_CUDART}, NCCL ${NCCL_LIBRARY}")

foreach(library ${LMTRAIN_CUDART} ${NCCL_LIBRARY})
  get_filename_component(folder ${library} DIRECTORY)
  list(APPEND CMAKE_INSTALL_RPATH ${folder})
endforeach()

function(lmtrain_add_cuda)
  foreach(folder parallel models)
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/cuda/*.cpp ${folder}/cuda/*.cu)
    target_sources(lmtrain_${folder} PRIVATE ${sources})
    target_compile_options(lmtrain_${folder} PRIVATE
      "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Werror;--Werror=all-warnings>")
  endforeach()
  set(target lmtrain_parallel)
  # Public, since targets that share the precompiled header must agree on definitions.
  target_compile_definitions(${target} PUBLIC LMTRAIN_WITH_CUDA)
  # LibTorch's headers want cuBLAS's and others', which a small toolkit lacks.
  target_include_directories(${target} SYSTEM PUBLIC
    ${NCCL_INCLUDE_DIR} ${CUDAToolkit_INCLUDE_DIRS} ${wheel_cuda}/include)
  # LibTorch finds its CUDA half by static registration, which no symbol refers to.
  target_link_libraries(${target} PUBLIC
    -Wl,--no-as-needed ${LIBTORCH}/lib/libtorch_cuda.so ${LIBTORCH}/lib/libc10_cuda.so -Wl,--as-needed
    ${NCCL_LIBRARY} ${LMTRAIN_CUDART})
endfunction()

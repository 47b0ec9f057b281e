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
include(CudaLibraries)
lmtrain_require_found()

function(lmtrain_add_cuda)
  set(options -Xcompiler=-Wall,-Wextra)
  if(LMTRAIN_WARNINGS_AS_ERRORS)
    set(options -Xcompiler=-Wall,-Wextra,-Werror --Werror=all-warnings)
  endif()
  foreach(folder parallel models)
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/cuda/*.cpp ${folder}/cuda/*.cu)
    target_sources(lmtrain_${folder} PRIVATE ${sources})
    target_compile_options(lmtrain_${folder} PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:${options}>")
  endforeach()
  # Public, since targets that share the precompiled header must agree on definitions.
  target_compile_definitions(lmtrain_parallel PUBLIC LMTRAIN_WITH_CUDA)
  target_link_libraries(lmtrain_parallel PUBLIC lmtrain::cuda)
endfunction()

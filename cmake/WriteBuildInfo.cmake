set(commit "unknown")
find_package(Git QUIET)
if(GIT_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} -C ${SOURCE} rev-parse --show-prefix
    OUTPUT_VARIABLE prefix OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  execute_process(COMMAND ${GIT_EXECUTABLE} -C ${SOURCE} describe --always --dirty --abbrev=12
    OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  # A copy inside another project's repository has a prefix there; that project's commit is not lmtrain's.
  if(NOT failed AND "${prefix}" STREQUAL "")
    set(commit "${described}")
  endif()
endif()
set(content "#pragma once
#define LMTRAIN_VERSION \"${VERSION}\"
#define LMTRAIN_COMMIT \"${commit}\"
#define LMTRAIN_COMPILER \"${COMPILER}\"
#define LMTRAIN_BUILD_TYPE \"${BUILD}\"
#define LMTRAIN_TORCH_VERSION \"${TORCH}\"
#define LMTRAIN_CUDA_BUILD \"${CUDA}\"
")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} before)
endif()
if(NOT "${content}" STREQUAL "${before}")
  file(WRITE ${OUTPUT} "${content}")
endif()

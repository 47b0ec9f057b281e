# generated/lmtrain_version.h: commit, compiler and library versions for `lmtrain --version` and provenance.
# Made anew at each build; the file changes only when the commit does.
add_custom_target(lmtrain_build_info
  COMMAND ${CMAKE_COMMAND}
    -DSOURCE=${PROJECT_SOURCE_DIR} -DOUTPUT=${PROJECT_BINARY_DIR}/generated/lmtrain_version.h
    -DVERSION=${PROJECT_VERSION} -DTORCH=${LIBTORCH_VERSION}
    "-DCOMPILER=${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}" -DBUILD=${CMAKE_BUILD_TYPE}
    -DCUDA=${LMTRAIN_CUDA} -P ${PROJECT_SOURCE_DIR}/cmake/WriteBuildInfo.cmake
  BYPRODUCTS ${PROJECT_BINARY_DIR}/generated/lmtrain_version.h
  COMMENT "build info")

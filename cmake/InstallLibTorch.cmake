# At installation: copies the shared libraries that PROGRAM loads from below ROOT, the folder that LibTorch's folder
# lies in, to DESTINATION. They keep their places to each other, by which they find one another ($ORIGIN in their
# RPATHs). With CUDA the whole folders of its libraries go along, since these load others by name.
file(GET_RUNTIME_DEPENDENCIES EXECUTABLES ${PROGRAM}
  RESOLVED_DEPENDENCIES_VAR libraries UNRESOLVED_DEPENDENCIES_VAR not_found)
foreach(library ${libraries})
  cmake_path(IS_PREFIX ROOT "${library}" NORMALIZE lies_below)
  if(NOT lies_below)
    continue()
  endif()
  cmake_path(GET library PARENT_PATH folder)
  cmake_path(RELATIVE_PATH folder BASE_DIRECTORY "${ROOT}" OUTPUT_VARIABLE place)
  set(files "${library}")
  if(WITH_CUDA AND place MATCHES "^nvidia/")
    file(GLOB files "${folder}/*.so*")
  endif()
  file(INSTALL ${files} DESTINATION "${DESTINATION}/${place}" FOLLOW_SYMLINK_CHAIN)
endforeach()

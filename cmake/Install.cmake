# What `cmake --install` copies: the program with its example configs, and the libraries with their headers for
# find_package(lmtrain), which lmtrainConfig.cmake answers. `--component program` leaves the libraries out.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(lmtrain_parts base tokenizer data energy parallel models trainer)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/lmtrain)

install(TARGETS lmtrain RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)

# The program finds LibTorch where it was built with it, or, where that is in the source folder, in a copy of its own
# that is installed: the source folder may go then.
set(library_folders ${LIBTORCH}/lib)
foreach(library ${LMTRAIN_CUDART} ${NCCL_LIBRARY})
  cmake_path(GET library PARENT_PATH folder)
  list(APPEND library_folders ${folder})
endforeach()
file(REAL_PATH ${LIBTORCH}/.. libtorch_root)
file(REAL_PATH ${PROJECT_SOURCE_DIR} source)
cmake_path(IS_PREFIX source ${libtorch_root} copies_libtorch)
if(copies_libtorch)
  set(copy_folder ${CMAKE_INSTALL_LIBDIR}/lmtrain)
  file(RELATIVE_PATH from_program /${CMAKE_INSTALL_BINDIR} /${copy_folder})
  foreach(folder ${library_folders})
    file(REAL_PATH ${folder} folder)
    cmake_path(IS_PREFIX libtorch_root ${folder} is_copied)
    if(is_copied)
      cmake_path(RELATIVE_PATH folder BASE_DIRECTORY ${libtorch_root})
      set(folder "$ORIGIN/${from_program}/${folder}")
    endif()
    list(APPEND copied_folders ${folder})
  endforeach()
  set(library_folders ${copied_folders})
  install(CODE "
    set(PROGRAM \"$<TARGET_FILE:lmtrain>\")
    set(ROOT \"${libtorch_root}\")
    set(DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${copy_folder}\")
    set(WITH_CUDA ${LMTRAIN_CUDA})" COMPONENT program)
  install(SCRIPT cmake/InstallLibTorch.cmake COMPONENT program)
endif()
set_target_properties(lmtrain PROPERTIES INSTALL_RPATH "${library_folders}")
install(DIRECTORY configs DESTINATION share/lmtrain COMPONENT program)

foreach(part options ${lmtrain_parts})
  set_target_properties(lmtrain_${part} PROPERTIES EXPORT_NAME ${part})
  install(TARGETS lmtrain_${part} EXPORT lmtrain
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT libraries)
endforeach()
install(EXPORT lmtrain NAMESPACE lmtrain:: FILE lmtrainTargets.cmake
  DESTINATION ${package_folder} COMPONENT libraries)

install(DIRECTORY base data energy parallel models trainer
  DESTINATION include/lmtrain COMPONENT libraries
  FILES_MATCHING PATTERN "*.h" PATTERN cpu_only EXCLUDE)
install(FILES ${PROJECT_BINARY_DIR}/generated/lmtrain_version.h
  DESTINATION include/lmtrain COMPONENT libraries)

configure_package_config_file(cmake/lmtrainConfig.cmake.in ${PROJECT_BINARY_DIR}/package/lmtrainConfig.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/lmtrainConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/package/lmtrainConfig.cmake ${PROJECT_BINARY_DIR}/package/lmtrainConfigVersion.cmake
  cmake/LibTorch.cmake cmake/Libraries.cmake cmake/CudaLibraries.cmake
  DESTINATION ${package_folder} COMPONENT libraries)

# What `cmake --install` copies: the program with its example configs, and the libraries with their headers for
# find_package(lmtrain), which lmtrainConfig.cmake answers. `--component program` leaves the libraries out.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(lmtrain_parts base tokenizer data energy parallel models trainer)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/lmtrain)

install(TARGETS lmtrain RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT program)
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

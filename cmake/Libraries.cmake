# xxHash, Zstandard, cpp-httplib and HDF5's C interface as lmtrain::xxhash, lmtrain::zstd, lmtrain::httplib and
# lmtrain::hdf5: not every system has package files of theirs with targets. Needs the result of find_package(HDF5). What is not found goes to
# LMTRAIN_MISSING. The file is installed too, for lmtrainConfig.cmake.

find_library(XXHASH_LIBRARY xxhash)
find_path(XXHASH_INCLUDE_FOLDER xxhash.h)
find_library(ZSTD_LIBRARY zstd)
find_path(ZSTD_INCLUDE_FOLDER zstd.h)
find_library(HTTPLIB_LIBRARY cpp-httplib)  # Debian compiles it; elsewhere it is the header alone
find_path(HTTPLIB_INCLUDE_FOLDER httplib.h)
foreach(variable XXHASH_LIBRARY XXHASH_INCLUDE_FOLDER ZSTD_LIBRARY ZSTD_INCLUDE_FOLDER HTTPLIB_INCLUDE_FOLDER)
  if(NOT ${variable})
    set(LMTRAIN_MISSING "${variable} was not found: install the library with its header, or set this variable.")
    return()
  endif()
endforeach()

set(HTTPLIB_DEFINITIONS "")
if(HTTPLIB_LIBRARY)  # those of Debian's cpp-httplib.pc
  set(HTTPLIB_DEFINITIONS CPPHTTPLIB_OPENSSL_SUPPORT CPPHTTPLIB_ZLIB_SUPPORT CPPHTTPLIB_BROTLI_SUPPORT)
endif()

if(TARGET lmtrain::hdf5)
  return()
endif()
add_library(lmtrain::httplib INTERFACE IMPORTED)
target_include_directories(lmtrain::httplib SYSTEM INTERFACE ${HTTPLIB_INCLUDE_FOLDER})
if(HTTPLIB_LIBRARY)
  target_link_libraries(lmtrain::httplib INTERFACE ${HTTPLIB_LIBRARY})
endif()
add_library(lmtrain::xxhash INTERFACE IMPORTED)
target_include_directories(lmtrain::xxhash SYSTEM INTERFACE ${XXHASH_INCLUDE_FOLDER})
target_link_libraries(lmtrain::xxhash INTERFACE ${XXHASH_LIBRARY})
add_library(lmtrain::zstd INTERFACE IMPORTED)
target_include_directories(lmtrain::zstd SYSTEM INTERFACE ${ZSTD_INCLUDE_FOLDER})
target_link_libraries(lmtrain::zstd INTERFACE ${ZSTD_LIBRARY})
add_library(lmtrain::hdf5 INTERFACE IMPORTED)
target_include_directories(lmtrain::hdf5 SYSTEM INTERFACE ${HDF5_C_INCLUDE_DIRS})
target_link_libraries(lmtrain::hdf5 INTERFACE ${HDF5_C_LIBRARIES})

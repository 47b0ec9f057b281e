// Locks of files as flock(2) gives them, and what its errors mean.
#pragma once

#include <cerrno>

#include <sys/file.h>

namespace lmtrain {

// Takes a lock: returns 0, or errno. EWOULDBLOCK: somebody else has it.
inline int take_file_lock(int descriptor, int operation) {
  int result = 0;
  do {
    result = flock(descriptor, operation);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
}

// Whether the file system has no locks at all.
inline bool means_no_locks(int error) {
  return error == ENOSYS || error == ENOLCK || error == EOPNOTSUPP;
}

}  // namespace lmtrain

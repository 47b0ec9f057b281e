#include "trainer/config/run_folder.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace lmtrain {

RunLock::RunLock(const RunFolder& folder) {
  const std::filesystem::path path = folder.path / ".lock";
  descriptor_ = open(path.c_str(), O_CREAT | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0644);
  if (descriptor_ < 0)
    throw IoError(cat("cannot open ", path.string(), ": ", std::strerror(errno)));
  if (flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  const int error = errno;
  if (error == ENOSYS || error == ENOLCK || error == EOPNOTSUPP) {
    log_warn(cat("cannot lock ", path.string(), ": ", std::strerror(error),
                 "; see to it that no second job writes in this folder"));
    return;
  }
  close(descriptor_);
  if (error != EWOULDBLOCK)
    throw IoError(cat("cannot lock ", path.string(), ": ", std::strerror(error)));
  throw Error(ExitCode::kHeld, cat("another job is writing in ", folder.path.string(),
                                   "; wait for it or choose another run.name"));
}

RunLock::~RunLock() { close(descriptor_); }

}  // namespace lmtrain

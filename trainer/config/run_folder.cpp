#include "trainer/config/run_folder.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace lmtrain {

namespace {

namespace fs = std::filesystem;

fs::path lock_of(const RunFolder& folder) { return folder.path / ".lock"; }

// What a job makes in and above the folder that is not there yet, the innermost first.
std::vector<fs::path> missing_paths(const RunFolder& folder) {
  std::vector<fs::path> missing;
  for (const fs::path& path : {folder.checkpoints(), folder.energy(), lock_of(folder)}) {
    if (!fs::exists(fs::symlink_status(path))) missing.push_back(path);
  }
  for (fs::path at = folder.path; !at.empty() && !fs::exists(at); at = at.parent_path())
    missing.push_back(at);
  return missing;
}

int64_t new_token() {
  std::random_device random;
  return static_cast<int64_t>(random()) << 31 ^ static_cast<int64_t>(random());
}

// Why a lock cannot be had: 0 where it can.
int try_lock(int descriptor) { return flock(descriptor, LOCK_EX | LOCK_NB) == 0 ? 0 : errno; }

}  // namespace

HeldFolder::HeldFolder(const RunFolder& folder)
    : folder_(folder), made_(missing_paths(folder)), token_(new_token()) {
  try {
    take();
  } catch (...) {
    leave();
    throw;
  }
}

void HeldFolder::take() {
  make_folders(folder_.checkpoints());
  make_folders(folder_.energy());
  const fs::path path = lock_of(folder_);
  file_ = open(path.c_str(), O_CREAT | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0644);
  if (file_ < 0) throw IoError(cat("cannot open ", path.string(), ": ", std::strerror(errno)));
  itself_ = open(folder_.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int of_itself = itself_ < 0 ? errno : try_lock(itself_);
  const int error = of_itself == EWOULDBLOCK ? of_itself : try_lock(file_);
  const bool has_no_locks = error == ENOSYS || error == ENOLCK || error == EOPNOTSUPP;
  if (error == EWOULDBLOCK) {
    made_.clear();  // what is there is the other job's
    throw Error(ExitCode::kHeld, cat("another job is writing in ", folder_.path.string(),
                                     "; wait for it or choose another run.name"));
  }
  if (error != 0 && !has_no_locks)
    throw IoError(cat("cannot lock ", path.string(), ": ", std::strerror(error)));
  if (has_no_locks && of_itself != 0) {
    log_warn(cat("cannot lock ", path.string(), ": ", std::strerror(error),
                 "; see to it that no second job writes in this folder"));
  }
  write_token();
}

void HeldFolder::write_token() const {
  const std::string text = cat(token_, "\n");
  const bool is_written =
      ftruncate(file_, 0) == 0 &&
      write(file_, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      fsync(file_) == 0;
  if (is_written) return;
  throw IoError(cat("cannot write ", lock_of(folder_).string(), ": ", std::strerror(errno)));
}

void HeldFolder::require_same(const RunFolder& folder, int64_t token, const std::string& host) {
  constexpr int kTries = 20;  // a network file system may show a new file a little late
  const std::string expected = cat(token, "\n");
  for (int i = 0; i < kTries; ++i) {
    std::ifstream file(lock_of(folder));
    const std::string found{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (found == expected) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  throw ConfigError(cat("run.dir: ", host, " does not see ", fs::absolute(folder.path).string(),
                        " as rank 0 has it; all ranks write checkpoints there, so it must be one "
                        "folder on a file system that all hosts share"));
}

void HeldFolder::require_in_place() const {
  struct stat held = {};
  struct stat there = {};
  if (itself_ < 0 || fstat(itself_, &held) != 0) return;
  const bool is_same = stat(folder_.path.c_str(), &there) == 0 && held.st_dev == there.st_dev &&
                       held.st_ino == there.st_ino;
  if (is_same) return;
  std::error_code ignored;
  throw IoError(cat("the run's folder ", folder_.path.string(),
                    " was moved or removed while the run went on; it is now ",
                    fs::read_symlink(cat("/proc/self/fd/", itself_), ignored).string(),
                    ". Put it back, and the same command continues"));
}

HeldFolder::~HeldFolder() { leave(); }

void HeldFolder::leave() noexcept {
  std::error_code ignored;
  if (!fs::exists(folder_.metrics(), ignored)) {
    // The ledgers of a job that came to nothing, where no other has been before it.
    if (std::ranges::find(made_, folder_.energy()) != made_.end()) {
      std::vector<fs::path> ledgers;
      for (fs::directory_iterator at(folder_.energy(), ignored), end; at != end;
           at.increment(ignored))
        ledgers.push_back(at->path());
      for (const fs::path& ledger : ledgers) fs::remove(ledger, ignored);
    }
    for (const fs::path& path : made_) fs::remove(path, ignored);  // what holds more stays
  }
  if (file_ >= 0) close(file_);
  if (itself_ >= 0) close(itself_);
}

}  // namespace lmtrain

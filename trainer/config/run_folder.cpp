#include "trainer/config/run_folder.h"

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
#include <unistd.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace lmtrain {

namespace {

namespace fs = std::filesystem;

fs::path lock_of(const RunFolder& folder) { return folder.path / ".lock"; }

// The folder and its parents that are not there, the innermost first.
std::vector<fs::path> missing_folders(const fs::path& folder) {
  std::vector<fs::path> missing;
  for (fs::path at = folder; !at.empty() && !fs::exists(at); at = at.parent_path())
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
    : folder_(folder), new_folders_(missing_folders(folder.path)), token_(new_token()) {
  make_folders(folder.checkpoints());
  make_folders(folder.energy());
  const fs::path path = lock_of(folder);
  file_ = open(path.c_str(), O_CREAT | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0644);
  if (file_ < 0) throw IoError(cat("cannot open ", path.string(), ": ", std::strerror(errno)));
  itself_ = open(folder.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int of_itself = itself_ < 0 ? errno : try_lock(itself_);
  const int error = of_itself == EWOULDBLOCK ? of_itself : try_lock(file_);
  const bool has_no_locks = error == ENOSYS || error == ENOLCK || error == EOPNOTSUPP;
  if (error == 0 || has_no_locks) {
    if (has_no_locks && of_itself != 0) {
      log_warn(cat("cannot lock ", path.string(), ": ", std::strerror(error),
                   "; see to it that no second job writes in this folder"));
    }
    write_token();
    return;
  }
  close(file_);
  if (itself_ >= 0) close(itself_);
  if (error != EWOULDBLOCK)
    throw IoError(cat("cannot lock ", path.string(), ": ", std::strerror(error)));
  throw Error(ExitCode::kHeld, cat("another job is writing in ", folder.path.string(),
                                   "; wait for it or choose another run.name"));
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

HeldFolder::~HeldFolder() {
  std::error_code ignored;
  if (!new_folders_.empty() && !fs::exists(folder_.metrics(), ignored)) {
    std::vector<fs::path> made;
    for (const fs::path& ledger : fs::directory_iterator(folder_.energy(), ignored))
      made.push_back(ledger);
    for (const fs::path& path : {folder_.checkpoints(), folder_.energy(), lock_of(folder_)})
      made.push_back(path);
    made.insert(made.end(), new_folders_.begin(), new_folders_.end());
    for (const fs::path& path : made) fs::remove(path, ignored);  // a folder that holds more stays
  }
  close(file_);
  if (itself_ >= 0) close(itself_);
}

}  // namespace lmtrain

#include "trainer/config/held_folder.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <random>
#include <thread>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/batch_job.h"
#include "base/clock.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/host_name.h"
#include "base/log.h"
#include "base/text.h"

namespace lmtrain {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// What a job makes in and above the folder that is not there yet, the innermost first.
std::vector<fs::path> missing_paths(const RunFolder& folder) {
  std::vector<fs::path> missing;
  for (const fs::path& path : {folder.checkpoints(), folder.energy(), folder.lock()}) {
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

FolderHolder this_job() {
  const std::optional<BatchJob> job = batch_job();
  return {new_token(), host_name(), getpid(), job ? to_text(*job) : "", utc_now(), -1};
}

void sleep_for(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

// Why a lock cannot be had: 0 where it can. Somebody who only looks (is_held) has it for a moment.
int try_lock(const LockOptions& options, int descriptor, int kind) {
  constexpr int kTries = 5;
  int error = 0;
  for (int i = 0; i < kTries; ++i) {
    if (i > 0) sleep_for(0.05);
    if (options.lock) {
      error = options.lock(descriptor, kind | LOCK_NB) == 0 ? 0 : errno;
    } else {
      error = take_file_lock(descriptor, kind | LOCK_NB);
    }
    if (error != EWOULDBLOCK) break;
  }
  return error;
}

// Whether the number in `.lock` changes within three beats.
bool beats(const RunFolder& folder, const FolderHolder& before, double beat_seconds) {
  constexpr int kLooks = 30;
  for (int i = 0; i < kLooks; ++i) {
    sleep_for(3 * beat_seconds / kLooks);
    const std::optional<FolderHolder> now = holder_of(folder);
    // A file that is being written anew may be empty for a moment.
    if (now && (now->token != before.token || now->beat != before.beat)) return true;
  }
  return false;
}

// Closes a descriptor on every way out.
struct Closing {
  int descriptor;
  ~Closing() {
    if (descriptor >= 0) close(descriptor);
  }
};

}  // namespace

std::string to_text(const FolderHolder& holder) {
  return cat("a job on ", holder.host, " (process ", holder.process, ", ",
             holder.job.empty() ? "" : cat(holder.job, ", "), "since ", holder.since, ")");
}

std::optional<FolderHolder> holder_of(const RunFolder& folder) {
  constexpr int64_t kMostBytes = 4096;
  try {
    const json value = json::parse(read_file(folder.lock(), kMostBytes));
    FolderHolder holder;
    holder.token = value.at("token").get<int64_t>();
    holder.host = value.at("host").get<std::string>();
    holder.process = value.at("process").get<int64_t>();
    holder.job = value.at("job").get<std::string>();
    holder.since = value.at("since").get<std::string>();
    holder.beat = value.at("beat").get<int64_t>();
    return holder;
  } catch (const IoError&) {
    return std::nullopt;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

HeldFolder::HeldFolder(const RunFolder& folder, LockOptions options)
    : folder_(folder),
      options_(std::move(options)),
      made_(missing_paths(folder)),
      mine_(this_job()) {
  try {
    take();
  } catch (...) {
    leave();
    throw;
  }
}

void HeldFolder::fail_held() {
  made_.clear();  // what is there is the other job's
  const std::optional<FolderHolder> holder = holder_of(folder_);
  throw Error(ExitCode::kHeld,
              cat(holder ? to_text(*holder) : "another job", " is writing in ",
                  folder_.path.string(), "; wait for it or choose another run.name"));
}

void HeldFolder::take() {
  make_folders(folder_.checkpoints());
  make_folders(folder_.energy());
  const fs::path path = folder_.lock();
  file_ = open(path.c_str(), O_CREAT | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0644);
  if (file_ < 0) throw IoError(cat("cannot open ", path.string(), ": ", std::strerror(errno)));
  itself_ = open(folder_.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int of_itself = itself_ < 0 ? errno : try_lock(options_, itself_, LOCK_EX);
  if (of_itself == EWOULDBLOCK) fail_held();
  const int error = try_lock(options_, file_, LOCK_EX);
  if (error == EWOULDBLOCK) fail_held();
  if (error != 0 && !means_no_locks(error))
    throw IoError(cat("cannot lock ", path.string(), ": ", std::strerror(error)));
  if (error != 0 && of_itself != 0) return take_by_beating();
  if (!write_lock_file())
    throw IoError(cat("cannot write ", path.string(), ": ", std::strerror(errno)));
}

void HeldFolder::take_by_beating() {
  const std::optional<FolderHolder> before = holder_of(folder_);
  if (before && before->beat >= 0) {
    log_info(cat(folder_.path.string(), ": this file system has no locks, and ", to_text(*before),
                 " has left its lock file; looking for ", fixed(3 * options_.beat_seconds, 0),
                 " s whether it still runs"));
    if (beats(folder_, *before, options_.beat_seconds)) fail_held();
  }
  mine_.beat = 0;
  if (!write_lock_file())
    throw IoError(cat("cannot write ", folder_.lock().string(), ": ", std::strerror(errno)));
  // Of several jobs that came at once, the one that wrote last has it.
  sleep_for(options_.beat_seconds / 5);
  const std::optional<FolderHolder> now = holder_of(folder_);
  if (!now || now->token != mine_.token) fail_held();
  beating_ = std::make_unique<RepeatingThread>(options_.beat_seconds, [this] {
    const std::optional<FolderHolder> seen = holder_of(folder_);
    is_lost_ = is_lost_ || (seen && seen->token != mine_.token);
    if (is_lost_) return false;
    ++mine_.beat;
    write_lock_file();
    return true;
  });
}

bool HeldFolder::write_lock_file() const noexcept {
  const json value = {{"token", mine_.token},     {"host", mine_.host},   {"job", mine_.job},
                      {"process", mine_.process}, {"since", mine_.since}, {"beat", mine_.beat}};
  // Written in one call and cut afterwards, so that no reader finds it empty.
  const std::string text = value.dump() + "\n";
  return pwrite(file_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
         ftruncate(file_, static_cast<off_t>(text.size())) == 0 && fsync(file_) == 0;
}

void HeldFolder::require_same(const RunFolder& folder, int64_t token, const std::string& host) {
  constexpr int kTries = 20;  // a network file system may show a new file a little late
  for (int i = 0; i < kTries; ++i) {
    const std::optional<FolderHolder> holder = holder_of(folder);
    if (holder && holder->token == token) return;
    sleep_for(0.1);
  }
  throw ConfigError(cat("run.dir: ", host, " does not see ", fs::absolute(folder.path).string(),
                        " as rank 0 has it; all ranks write checkpoints there, so it must be one "
                        "folder on a file system that all hosts share"));
}

void HeldFolder::require_not_lost() const {
  if (!is_lost_) return;
  const std::optional<FolderHolder> holder = holder_of(folder_);
  throw Error(ExitCode::kHeld,
              cat(holder ? to_text(*holder) : "another job", " has taken ", folder_.path.string(),
                  " while this job was suspended; what this one has trained since its last "
                  "checkpoint is lost to the run"));
}

void HeldFolder::require_in_place() const {
  require_not_lost();
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
  const bool was_beating = beating_ != nullptr;
  beating_.reset();
  std::error_code ignored;
  // A lock file without a job would make the next one wait.
  if (was_beating && !is_lost_) fs::remove(folder_.lock(), ignored);
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

bool is_held(const RunFolder& folder, const LockOptions& options) {
  const std::optional<FolderHolder> holder = holder_of(folder);
  const Closing itself{open(folder.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (itself.descriptor < 0) return false;
  // Shared and given back at once, so that two that look do not meet each other.
  const int error = try_lock(options, itself.descriptor, LOCK_SH);
  if (error == EWOULDBLOCK) return true;  // also where somebody has removed the lock file
  const bool may_beat = holder && holder->beat >= 0 && (error == 0 || means_no_locks(error));
  return may_beat && beats(folder, *holder, options.beat_seconds);
}

}  // namespace lmtrain

#include "data/cache_entry.h"

#include <cerrno>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/host_name.h"
#include "base/log.h"
#include "base/removed_at_end.h"
#include "base/text.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

void rename_folder(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) {
    throw IoError(cat("cannot rename ", from.string(), " to ", to.string(), ": ", error.message()));
  }
}

}  // namespace

CacheEntry::CacheEntry(const fs::path& cache, const std::string& name) : folder_(cache / name) {
  make_folders(cache);
  lock(beside(".lock"));
}

// Unlocks explicitly: close() alone would leave the lock to a forked process
// that has the descriptor.
CacheEntry::~CacheEntry() {
  flock(descriptor_, LOCK_UN);
  close(descriptor_);
}

void CacheEntry::lock(const fs::path& lock_path) {
  descriptor_ = open(lock_path.c_str(), O_CREAT | O_RDONLY | O_CLOEXEC, 0644);
  if (descriptor_ < 0) {
    throw IoError(cat("cannot open ", lock_path.string(), ": ", std::strerror(errno)));
  }
  int error = take_file_lock(descriptor_, LOCK_EX | LOCK_NB);
  if (error == EWOULDBLOCK) {
    log_info(cat("waiting for another process that prepares ", folder_.string()));
    error = take_file_lock(descriptor_, LOCK_EX);
  }
  if (error == 0) return;
  is_locked_ = false;
  if (means_no_locks(error)) {
    log_info(cat(folder_.parent_path().string(),
                 ": this file system has no locks; jobs that prepare the same text at the same "
                 "time do the work twice"));
    return;
  }
  close(descriptor_);
  throw IoError(cat("cannot lock ", lock_path.string(), ": ", std::strerror(error),
                    "; set data.cache to a folder on another file system"));
}

bool CacheEntry::exists() const {
  std::error_code ignored;
  return fs::is_directory(folder_, ignored);
}

// Returns a hidden name in the cache folder that belongs to this entry.
fs::path CacheEntry::beside(const std::string& suffix) const {
  return folder_.parent_path() / cat(".", folder_.filename().string(), suffix);
}

void CacheEntry::sweep() const {
  const std::string prefix = beside(".tmp.").filename().string();
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_.parent_path(), ignored)) {
    if (entry.path().filename().string().starts_with(prefix)) fs::remove_all(entry.path(), ignored);
  }
}

void CacheEntry::put_in_place(const fs::path& made, const fs::path& replaced) const {
  if (is_locked_) {
    if (exists()) rename_folder(folder_, replaced);
    return rename_folder(made, folder_);
  }
  // Another job may have put the same in place meanwhile, or taken the old one away.
  std::error_code ignored;
  fs::rename(folder_, replaced, ignored);
  fs::rename(made, folder_, ignored);
  if (!exists()) rename_folder(made, folder_);
}

void CacheEntry::publish(const std::function<void(const fs::path&)>& fill) const {
  if (is_locked_) sweep();  // else it may be that of a job at work
  const std::string own = cat(host_name(), ".", getpid());
  const RemovedAtEnd made(beside(cat(".tmp.new.", own)));
  const RemovedAtEnd replaced(beside(cat(".tmp.old.", own)));
  make_folders(made.folder());
  fill(made.folder());
  sync_folder(made.folder());
  put_in_place(made.folder(), replaced.folder());
  sync_folder(folder_.parent_path());
}

}  // namespace lmtrain

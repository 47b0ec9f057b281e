// A folder of the cache that is there whole or not at all, whatever is killed when.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace lmtrain {

// Holds the entry's lock (flock on CACHE/.NAME.lock) while it lives, so that of several processes
// that want the same entry one makes it and the others wait (a log line says so). The kernel frees
// the lock of a killed process.
class CacheEntry {
 public:
  // Makes the cache folder when it is missing. Throws IoError.
  CacheEntry(const std::filesystem::path& cache, const std::string& name);
  ~CacheEntry();
  CacheEntry(const CacheEntry&) = delete;
  CacheEntry& operator=(const CacheEntry&) = delete;

  // Where the entry is, or will be.
  const std::filesystem::path& folder() const { return folder_; }
  bool exists() const;

  // Calls fill(temporary folder) and moves the folder to its place; an entry there before is
  // replaced. What killed processes left of this entry is swept first. Throws IoError and what fill
  // throws, and then leaves the cache as it was.
  void publish(const std::function<void(const std::filesystem::path&)>& fill) const;

 private:
  void lock(const std::filesystem::path& lock_path);
  std::filesystem::path beside(const std::string& suffix) const;
  void sweep() const;

  std::filesystem::path folder_;
  int descriptor_ = -1;
};

}  // namespace lmtrain

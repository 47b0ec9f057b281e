// A folder of the cache that either exists completely or not at all, whenever a process is killed.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

namespace lmtrain {

// Holds the entry's lock (flock on CACHE/.NAME.lock) for its lifetime. When several processes want
// the same entry, one makes it while the others wait; they log that they wait. The kernel frees the
// lock of a killed process. Where the file system has no locks, several may make the same entry at
// once; the first that is whole counts.
class CacheEntry {
 public:
  // Creates the cache folder when it is missing. Throws IoError.
  CacheEntry(const std::filesystem::path& cache, const std::string& name);
  ~CacheEntry();
  CacheEntry(const CacheEntry&) = delete;
  CacheEntry& operator=(const CacheEntry&) = delete;

  // Where the entry is, or will be.
  const std::filesystem::path& folder() const { return folder_; }
  bool exists() const;

  // Removes what killed processes left of this entry, calls fill(temporary folder) and moves that
  // folder to its place, replacing an entry that is there. Throws IoError and what fill throws;
  // then the cache stays as it was.
  void publish(const std::function<void(const std::filesystem::path&)>& fill) const;

 private:
  void lock(const std::filesystem::path& lock_path);
  void put_in_place(const std::filesystem::path& made, const std::filesystem::path& replaced) const;
  std::filesystem::path beside(const std::string& suffix) const;
  void sweep() const;

  std::filesystem::path folder_;
  int descriptor_ = -1;
  bool is_locked_ = true;  // false where the file system has no locks
};

}  // namespace lmtrain

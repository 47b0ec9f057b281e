// The lock on a run's folder.
//
// Where the file system has locks (flock), one lies on the file `.lock` and one on the folder
// itself. Where it has none, the holder writes a new number into `.lock` every few seconds, and a
// job that finds such a file watches whether the number changes: clocks of hosts need not agree.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/repeating_thread.h"
#include "trainer/config/run_folder.h"

namespace lmtrain {

// The job that holds a folder, as `.lock` tells of it.
struct FolderHolder {
  int64_t token = 0;  // that no other job has
  std::string host;
  int64_t process = 0;
  std::string job;    // "Slurm job 77"; "" outside a batch system
  std::string since;  // "2026-01-31T12:00:00Z"
  int64_t beat = -1;  // the number that changes; -1 where the file system has locks
};
// "a job on node1 (process 4711, Slurm job 77, since 2026-01-31T12:00:00Z)".
std::string to_text(const FolderHolder& holder);
// Nothing where `.lock` is absent, empty or not what a job writes.
std::optional<FolderHolder> holder_of(const RunFolder& folder);

// Takes a lock as flock(2) does: returns 0, or -1 and errno.
using LockFunction = std::function<int(int descriptor, int operation)>;

struct LockOptions {
  LockFunction lock;          // flock where it is not given
  double beat_seconds = 5.0;  // between two numbers; three times as long without one: no holder
};

// Holds a run's folder for this job while it lives, so that no second job writes in it.
class HeldFolder {
 public:
  // Makes the folder and those of checkpoints and energy. Throws Error with ExitCode::kHeld, naming
  // the holder, when another job holds it, and IoError.
  explicit HeldFolder(const RunFolder& folder, LockOptions options = {});
  // A job that came to nothing leaves no folder behind that was not there before.
  ~HeldFolder();
  // Throws IoError where the folder's path does not lead to it any more, because somebody has moved
  // or removed it, and Error with ExitCode::kHeld where another job has taken it while this one was
  // suspended: what is written then is lost to the run.
  void require_in_place() const;
  // The same, but only as far as the holder has noticed by itself; for each step.
  void require_not_lost() const;
  // A number that only this job knows, and that its other ranks find in the folder.
  int64_t token() const { return mine_.token; }
  // Throws ConfigError where this host does not see the folder that rank 0 holds.
  static void require_same(const RunFolder& folder, int64_t token, const std::string& host);

  HeldFolder(const HeldFolder&) = delete;
  HeldFolder& operator=(const HeldFolder&) = delete;

 private:
  void take();
  void take_by_beating();
  void leave() noexcept;
  bool write_lock_file() const noexcept;
  [[noreturn]] void fail_held();

  const RunFolder folder_;
  const LockOptions options_;
  std::vector<std::filesystem::path> made_;  // by this job, the innermost first
  FolderHolder mine_;
  int file_ = -1;
  int itself_ = -1;  // the folder: a lock that stays when somebody deletes the file
  std::unique_ptr<RepeatingThread> beating_;
  std::atomic<bool> is_lost_ = false;
};

// Whether a job holds the folder now. Takes no lock that another job could meet; where the file
// system has no locks it watches the file for a while.
bool is_held(const RunFolder& folder, const LockOptions& options = {});

}  // namespace lmtrain

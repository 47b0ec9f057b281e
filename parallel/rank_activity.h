// What a rank is doing, for the watchdog (parallel/watchdog.h). The threads that work write it; any
// thread may read it.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/phase.h"
#include "parallel/operation.h"

namespace lmtrain {

class RankActivity {
 public:
  // Around each operation of the training's groups, on their communication thread.
  void operation_begins(const Operation& operation);
  void operation_ends();
  // Something was done that no operation and no phase shows, such as a part of a file.
  void note_progress() { ++progress_; }
  void set_step(int64_t step) { step_ = step; }
  // The tracker must live until follow(nullptr).
  void follow(const PhaseTracker* phases);

  struct Seen {
    int64_t progress = 0;  // grows with whatever the rank does
    int64_t step = 0;      // that is being computed, from 1; 0: none
    Phase phase = Phase::kStartup;
    bool is_in_operation = false;  // or else that was its last
    std::optional<Operation> operation;
  };
  Seen now() const;

 private:
  std::atomic<int64_t> progress_ = 0;
  std::atomic<int64_t> step_ = 0;
  mutable std::mutex mutex_;
  const PhaseTracker* phases_ = nullptr;
  bool is_in_operation_ = false;
  std::optional<Operation> operation_;
};

// Marks the enclosing block as one whose phases are watched.
class FollowedPhases {
 public:
  FollowedPhases(RankActivity& activity, const PhaseTracker& phases) : activity_(activity) {
    activity.follow(&phases);
  }
  ~FollowedPhases() { activity_.follow(nullptr); }
  FollowedPhases(const FollowedPhases&) = delete;
  FollowedPhases& operator=(const FollowedPhases&) = delete;

 private:
  RankActivity& activity_;
};

}  // namespace lmtrain

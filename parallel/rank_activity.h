// What a rank is doing, for the watchdog (parallel/watchdog.h). The threads that work write it; any
// thread may read it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>

#include "base/phase.h"
#include "parallel/operation.h"

namespace lmtrain {

class RankActivity {
 public:
  // Whose operations they are: those of the training, or those beside it, such as a save's.
  enum class Lane : size_t { kTraining, kBeside };
  // Around each operation, on the communication thread of its groups.
  void operation_begins(Lane lane, const Operation& operation);
  void operation_ends(Lane lane);
  // Something was done that no operation and no phase shows.
  void note_progress() { ++progress_; }
  // Whether a save is written now, which the training may wait for (Phase::kCheckpoint).
  void set_saving(bool is_saving) { is_saving_ = is_saving; }
  void set_step(int64_t step) { step_ = step; }
  // How long threads have waited for operations of the training so far.
  double waiting_seconds() const { return waiting_seconds_; }
  // The tracker, which the calling thread changes, must live until follow(nullptr).
  void follow(PhaseTracker* phases);

  // Marks the enclosing block as one that waits for operations. What the followed thread waits
  // within a phase of a step counts as communication, whatever it waits for.
  class Waiting {
   public:
    explicit Waiting(RankActivity& activity);
    ~Waiting();
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

   private:
    RankActivity& activity_;
    double begin_;
    std::optional<PhaseScope> scope_;
  };

  struct Seen {
    int64_t progress = 0;  // grows with whatever the rank's training does
    int64_t step = 0;      // that is being computed, from 1; 0: none
    Phase phase = Phase::kStartup;
    bool is_in_operation = false;  // of the training, or of the save that it waits for
    bool waits_for_save = false;   // its own
    // The one that the rank is in, or else the last one of its training.
    std::optional<Operation> operation;
  };
  Seen now() const;

 private:
  std::atomic<int64_t> progress_ = 0;
  std::atomic<int64_t> step_ = 0;
  std::atomic<double> waiting_seconds_ = 0;
  std::atomic<bool> is_saving_ = false;
  mutable std::mutex mutex_;
  PhaseTracker* phases_ = nullptr;
  std::thread::id follower_;  // the thread that changes them
  struct Operations {
    bool is_in = false;
    std::optional<Operation> last;
  };
  Operations& of(Lane lane) { return operations_[static_cast<size_t>(lane)]; }
  std::array<Operations, 2> operations_;
};

// Marks the enclosing block as one whose phases are watched.
class FollowedPhases {
 public:
  FollowedPhases(RankActivity& activity, PhaseTracker& phases) : activity_(activity) {
    activity.follow(&phases);
  }
  ~FollowedPhases() { activity_.follow(nullptr); }
  FollowedPhases(const FollowedPhases&) = delete;
  FollowedPhases& operator=(const FollowedPhases&) = delete;

 private:
  RankActivity& activity_;
};

}  // namespace lmtrain

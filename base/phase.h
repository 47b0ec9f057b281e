// The phases of a run. A scope object marks the current phase. The power ledger reads it; the
// report takes its times and energies by phase from the ledger.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

namespace lmtrain {

enum class Phase : int {
  kStartup,
  kPreparation,  // of text: tokenizer and tokens
  kData,
  kForward,
  kBackward,
  kCommunication,
  kOptimizer,
  kCheckpoint,
  kEvaluation,
  kSamples,    // of the model's text, in training
  kInference,  // with a trained model
  kPaused,     // until the grid is cleaner (energy.schedule)
};
inline constexpr int kNumPhases = 12;
std::string_view phase_name(Phase phase);

class Trace;

// Seconds of a clock that never goes backwards.
inline double monotonic_seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

// Which phase the training thread of this rank is in, and how long each took. Only the training
// thread changes it; any thread may read current().
class PhaseTracker {
 public:
  PhaseTracker() : entered_(monotonic_seconds()) {}

  Phase current() const { return current_.load(std::memory_order_relaxed); }
  // How often a phase has begun or ended.
  int64_t num_changes() const { return num_changes_.load(std::memory_order_relaxed); }
  // Seconds spent in each phase so far, the current one included; their sum is the tracker's age.
  std::array<double, kNumPhases> seconds() const;
  // From now on each scope is recorded as a span in `trace`; null ends the recording.
  void record_in(std::shared_ptr<Trace> trace) { trace_ = std::move(trace); }

 private:
  friend class PhaseScope;
  Phase enter(Phase next);
  // Ends a scope that was entered from `previous` at `begin`.
  void leave(Phase previous, double begin);

  std::atomic<Phase> current_{Phase::kStartup};
  std::atomic<int64_t> num_changes_ = 0;
  std::array<double, kNumPhases> seconds_{};
  double entered_;
  std::shared_ptr<Trace> trace_;
};

// Marks the enclosing block as `phase`. The previous phase is restored at the end of the block.
class PhaseScope {
 public:
  PhaseScope(PhaseTracker& tracker, Phase phase)
      : tracker_(tracker), previous_(tracker.enter(phase)), begin_(tracker.entered_) {}
  ~PhaseScope() { tracker_.leave(previous_, begin_); }
  PhaseScope(const PhaseScope&) = delete;
  PhaseScope& operator=(const PhaseScope&) = delete;

 private:
  PhaseTracker& tracker_;
  Phase previous_;
  double begin_;
};

}  // namespace lmtrain

#include "base/phase.h"

#include "base/trace.h"

namespace lmtrain {

std::string_view phase_name(Phase phase) {
  static constexpr std::array<std::string_view, kNumPhases> kNames = {
      "startup",   "preparation", "data",       "forward", "backward",  "communication",
      "optimizer", "checkpoint",  "evaluation", "samples", "inference", "paused"};
  return kNames[static_cast<size_t>(phase)];
}

std::array<double, kNumPhases> PhaseTracker::seconds() const {
  std::array<double, kNumPhases> total = seconds_;
  total[static_cast<size_t>(current())] += monotonic_seconds() - entered_;
  return total;
}

Phase PhaseTracker::enter(Phase next) {
  const double now = monotonic_seconds();
  const Phase previous = current();
  seconds_[static_cast<size_t>(previous)] += now - entered_;
  entered_ = now;
  num_changes_.fetch_add(1, std::memory_order_relaxed);
  current_.store(next, std::memory_order_relaxed);
  return previous;
}

void PhaseTracker::leave(Phase previous, double begin) {
  const Phase phase = enter(previous);
  if (trace_) trace_->add({phase_name(phase), "phase", Trace::kTraining, begin, entered_});
}

}  // namespace lmtrain

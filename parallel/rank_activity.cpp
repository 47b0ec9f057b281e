#include "parallel/rank_activity.h"

namespace lmtrain {

void RankActivity::operation_begins(Lane lane, const Operation& operation) {
  const std::lock_guard lock(mutex_);
  of(lane) = {true, operation};
  if (lane == Lane::kTraining) ++progress_;
}

void RankActivity::operation_ends(Lane lane) {
  const std::lock_guard lock(mutex_);
  of(lane).is_in = false;
  if (lane == Lane::kTraining) ++progress_;
}

RankActivity::Waiting::Waiting(RankActivity& activity)
    : activity_(activity), begin_(monotonic_seconds()) {
  PhaseTracker* phases = nullptr;
  {
    const std::lock_guard lock(activity.mutex_);
    if (activity.follower_ == std::this_thread::get_id()) phases = activity.phases_;
  }
  if (phases == nullptr) return;
  const Phase phase = phases->current();
  const bool is_of_step =
      phase == Phase::kForward || phase == Phase::kBackward || phase == Phase::kOptimizer;
  if (is_of_step) scope_.emplace(*phases, Phase::kCommunication);
}

RankActivity::Waiting::~Waiting() { activity_.waiting_seconds_ += monotonic_seconds() - begin_; }

void RankActivity::follow(PhaseTracker* phases) {
  const std::lock_guard lock(mutex_);
  phases_ = phases;
  follower_ = std::this_thread::get_id();
  ++progress_;
}

RankActivity::Seen RankActivity::now() const {
  const std::lock_guard lock(mutex_);
  Seen seen;
  seen.progress = progress_;
  seen.step = step_;
  if (phases_ != nullptr) {
    seen.phase = phases_->current();
    seen.progress += phases_->num_changes();
  }
  const auto& [training, beside] = operations_;
  const bool waits_for_others_in_save = seen.phase == Phase::kCheckpoint && beside.is_in;
  seen.is_in_operation = training.is_in || waits_for_others_in_save;
  seen.operation = !training.is_in && waits_for_others_in_save ? beside.last : training.last;
  seen.waits_for_save = seen.phase == Phase::kCheckpoint && is_saving_;
  return seen;
}

}  // namespace lmtrain

#include "parallel/rank_activity.h"

namespace lmtrain {

void RankActivity::operation_begins(Lane lane, const Operation& operation) {
  const std::lock_guard lock(mutex_);
  of(lane) = {true, operation};
  ++progress_;
}

void RankActivity::operation_ends(Lane lane) {
  const std::lock_guard lock(mutex_);
  of(lane).is_in = false;
  ++progress_;
}

void RankActivity::follow(const PhaseTracker* phases) {
  const std::lock_guard lock(mutex_);
  phases_ = phases;
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
  seen.is_in_operation = training.is_in || beside.is_in;
  seen.operation = !training.is_in && beside.is_in ? beside.last : training.last;
  return seen;
}

}  // namespace lmtrain

#include "parallel/rank_activity.h"

namespace lmtrain {

void RankActivity::operation_begins(const Operation& operation) {
  const std::lock_guard lock(mutex_);
  operation_ = operation;
  is_in_operation_ = true;
  ++progress_;
}

void RankActivity::operation_ends() {
  const std::lock_guard lock(mutex_);
  is_in_operation_ = false;
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
  seen.is_in_operation = is_in_operation_;
  seen.operation = operation_;
  return seen;
}

}  // namespace lmtrain

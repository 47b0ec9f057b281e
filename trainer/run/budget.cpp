#include "trainer/run/budget.h"

#include <algorithm>

namespace lmtrain {
namespace {

// Steps over which the cost of one is taken: saves and validations come between them now and then,
// and meters are read once a second.
constexpr int64_t kLeastWindow = 32;
constexpr double kWindowShare = 0.25;  // of the attempt's steps

}  // namespace

Budget::Budget(const EnergyConfig& config, const Beginning& beginning)
    : config_(config), beginning_(beginning), schedule_step_(beginning.schedule_step) {
  begin({});
  remaining_ = static_cast<double>(beginning.steps - beginning.done);
}

void Budget::look(const Spending& spent) {
  const std::vector<BudgetUse> uses = budget_use(config_, spent);
  is_limited_ = !uses.empty();
  if (!is_limited_) return;
  nearest_ = *std::ranges::max_element(uses, {}, &BudgetUse::share);
  share_ = nearest_.share();
}

void Budget::begin(const Spending& of_attempt) {
  Spending spent = beginning_.spent;
  spent.add(of_attempt);
  look(spent);
  is_spent_ = is_limited_ && share_ >= 1;
}

void Budget::note(int64_t done, const Spending& of_attempt, double reserve_seconds) {
  remaining_ = static_cast<double>(beginning_.steps - done);
  if (is_limited_) {
    Spending spent = beginning_.spent;
    spent.add(of_attempt);
    look(spent);
    marks_.push_back({done, share_, of_attempt.seconds});
    const int64_t window =
        std::max(kLeastWindow,
                 static_cast<int64_t>(kWindowShare * static_cast<double>(done - beginning_.done)));
    while (marks_.size() > 2 && marks_[1].done <= done - window) marks_.pop_front();
    const Mark& from = marks_.front();
    const auto steps = static_cast<double>(done - from.done);
    const double seconds = of_attempt.seconds - from.seconds;
    const double cost = steps > 0 ? (share_ - from.share) / steps : 0;
    const double reserve = seconds > 0 ? (share_ - from.share) / seconds * reserve_seconds : 0;
    const double left = 1 - share_ - reserve;
    if (cost > 0) remaining_ = std::min(remaining_, left / cost);
    if (left <= 0) remaining_ = 0;
    is_spent_ = left < cost || left <= 0;
  }
  const double to_go = static_cast<double>(beginning_.steps) - schedule_step_;
  // The steps that are left with the one that is done.
  schedule_step_ += std::max(0.0, to_go) / (1.0 + std::max(0.0, remaining_));
}

std::string Budget::text() const { return describe(nearest_); }

}  // namespace lmtrain

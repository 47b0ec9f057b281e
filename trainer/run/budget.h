// Keeps a run within energy.budget. From what each step costs it reckons how many steps the rest of
// the budget is enough for, and how far the schedule of the learning rate has to be, so that its
// decay ends with the budget. All ranks come to the same, since they give it the same numbers.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "energy/energy_config.h"
#include "energy/report/spending.h"

namespace lmtrain {

class Budget {
 public:
  // Where the attempt begins: what the attempts before it have spent, the steps that are done, and
  // how far the schedule has come. `steps` are those of the whole run.
  struct Beginning {
    Spending spent;
    int64_t done = 0;
    double schedule_step = 0;
    int64_t steps = 0;
  };
  Budget(const EnergyConfig& config, const Beginning& beginning);

  bool is_limited() const { return is_limited_; }

  // Before the first step: what this attempt has spent on its start.
  void begin(const Spending& of_attempt);
  // After each step: what this attempt has spent by now. `reserve_seconds` is the time that the
  // last validation and save take.
  void note(int64_t done, const Spending& of_attempt, double reserve_seconds);

  // The step of the schedule at which the next step is (trainer/step/schedule.h): that step itself,
  // unless the budget ends before the run's last step; then steps count for more than one.
  double schedule_step() const { return schedule_step_; }
  // Of the limit that is nearest to its end, with its text.
  double share() const { return share_; }
  std::string text() const;
  // Whether the rest is needed for the last validation and save.
  bool is_spent() const { return is_spent_; }
  // How many more steps the rest is enough for; those that are left where nothing limits them.
  double remaining_steps() const { return remaining_; }

 private:
  void look(const Spending& spent);

  // The limit that is nearest to its end, after some step.
  struct Mark {
    int64_t done = 0;
    double share = 0;
    double seconds = 0;
  };

  EnergyConfig config_;
  Beginning beginning_;
  bool is_limited_ = false;
  BudgetUse nearest_;
  std::deque<Mark> marks_;  // of the steps by which the cost of a step is reckoned
  double share_ = 0;
  double schedule_step_ = 0;
  double remaining_ = 0;
  bool is_spent_ = false;
};

}  // namespace lmtrain

// When the saves of a run are due.
#pragma once

#include <cstdint>

#include "trainer/checkpoint/checkpoint_saver.h"
#include "trainer/config/config.h"

namespace lmtrain {

// Seconds between the beginnings of two saves where saves and repeated work cost the least:
// sqrt(2 C M) for a save that takes C and a mean time between failures M (Young, "A first order
// approximation to the optimum checkpoint interval", CACM 1974), and not less than what a save
// takes to be written beside training.
double best_save_interval(double save_seconds, double persist_seconds, double mtbf_seconds);

class SaveSchedule {
 public:
  // `expected_seconds` is what a save may take, before one has been measured. The time counts from
  // now.
  SaveSchedule(const CheckpointConfig& config, double expected_seconds);

  // With checkpoint.interval = auto: whether this rank finds that a save is due by now. The ranks
  // agree on what rank 0 finds.
  bool is_due_by_time() const;
  // Whether one is due after so many steps, given what the ranks agreed on in the last of them.
  bool is_due(int64_t done, bool is_due_by_time) const;

  void begins();
  void takes(const SaveTimes& times);
  double interval_seconds() const { return interval_seconds_; }

 private:
  const CheckpointConfig& config_;
  double interval_seconds_;
  double last_began_;
};

}  // namespace lmtrain

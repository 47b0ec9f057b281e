// Finds ranks that compute slower than the others, for which all of them wait at each step
// (MegaScale; Jiang et al., NSDI 2024).
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "base/cpu_ticks.h"
#include "base/system_file.h"
#include "trainer/step/trainer.h"

namespace lmtrain {

class SlowRanks {
 public:
  struct Finding {
    size_t rank = 0;
    double seconds = 0;         // of a step without waiting for others, median of recent steps
    double others_seconds = 0;  // the median of the same of all others
    double stolen_share = 0;    // mean of recent steps
    uint64_t clock_limits = 0;  // of any recent step
  };
  // A rank whose GPU's clocks are held down, by something that should not be: not by its power cap.
  struct HeldDown {
    size_t rank = 0;
    uint64_t clock_limits = 0;
  };
  // Adds what each rank reports of a step. Returns the ranks that are found to be slow now and were
  // not before.
  std::vector<Finding> add(const std::vector<RankSpeed>& speeds);
  // Those that have been held down in all of the last steps and were not found before.
  std::vector<HeldDown> held_down();

 private:
  struct Recent {
    std::deque<RankSpeed> steps;
    bool is_slow = false;
    bool is_held_down = false;
  };
  std::vector<Recent> ranks_;
};

// The share of the CPU time of this machine that its host gave to other machines (steal). 0 on
// hardware, and where the system does not tell.
class StolenTime {
 public:
  // Since the last call; the same again within a second.
  double share();

 private:
  double read_at_ = 0;
  ProcFile stat_{"/proc/stat"};
  CpuTicks ticks_;
  double share_ = 0;
};

}  // namespace lmtrain

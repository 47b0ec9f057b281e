// Which power cap a run takes: the one with the least energy a step among those that do not slow it
// down too much. It tries a few, from the former setting down. How much a cap saves and costs
// differs from model to model and from device to device (Zeus; You et al., NSDI 2023).
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace lmtrain {

// What steps took at so much of the former setting.
struct CapTrial {
  double share = 1.0;
  double step_seconds = 0;
  double step_joules = 0;  // of the job's computers
};

class CapSweep {
 public:
  // `max_slowdown` 0.05: steps may take 5% longer. `least_share`: lower ones make no difference.
  CapSweep(double max_slowdown, double least_share);

  // The share to try next; nothing once all has been tried. The last is 1 again, so that what
  // changed meanwhile does not count for a cap.
  std::optional<double> next() const;
  // What came of it.
  void add(double step_seconds, double step_joules);

  // In the order tried; the first and the last are of the former setting.
  const std::vector<CapTrial>& trials() const { return trials_; }
  // The former setting: the mean of the first and the last trial.
  CapTrial uncapped() const;
  // Of all trials, once there is nothing to try.
  CapTrial chosen() const;

 private:
  double max_slowdown_;
  std::vector<double> shares_;  // to be tried
  std::vector<CapTrial> trials_;
};

}  // namespace lmtrain

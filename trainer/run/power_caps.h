// Power caps of a run's devices (energy.max_slowdown): in the first steps of an attempt the ranks
// try a few together, and go on with the one that takes the least energy. Caps change how long a
// step takes, and never its numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "energy/caps/cap_sweep.h"
#include "energy/caps/held_caps.h"
#include "energy/energy_config.h"
#include "parallel/device.h"
#include "parallel/launch.h"
#include "trainer/run/run_recorder.h"

namespace lmtrain {

class RunPowerCaps {
 public:
  // Collective. Sets back what a killed run has left capped on these nodes. Where `config` wants
  // caps, takes hold of them: of each rank's GPU, or of a node's processors where ranks compute on
  // those. Where a device cannot be capped, none is, and a warning says which right is missing.
  RunPowerCaps(const EnergyConfig& config, const RankDevice& device, RunRecorder& recorder,
               Launch& launch);

  // Collective. After a step that took so long on this rank, before anything else is done. While
  // `is_saving`, steps do not count.
  void after_step(int64_t done, double seconds, bool is_saving);

 private:
  void set_back_what_was_left();
  HeldCaps::Taken take(const RankDevice& device);
  void give_up(const std::string& why);
  bool set_share(double share);
  void begin_trial(double share);
  void begin_window();
  void end_trial(int64_t done);
  void choose(int64_t done);
  CapFacts facts(double chosen) const;

  RunRecorder& recorder_;
  Launch& launch_;
  PowerKnobs knobs_;
  double max_slowdown_ = 0;
  double settling_seconds_ = 0;  // in which a meter may still show the power before
  double trial_seconds_ = 0;
  double set_at_ = 0;
  std::unique_ptr<HeldCaps> caps_;  // of the device that this rank caps; null for the others
  std::optional<CapSweep> sweep_;   // while it lasts; the same on all ranks
  // The steps of a trial that count: since when, and how many.
  double began_ = 0;
  double joules_ = 0;
  int64_t steps_ = 0;
  int64_t steps_seen_ = 0;  // of the attempt
  bool is_settling_ = true;
  double last_step_ended_ = 0;
};

}  // namespace lmtrain

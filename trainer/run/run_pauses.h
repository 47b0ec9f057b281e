// Pauses of a run's ranks together (energy.schedule): rank 0 looks at the series and tells the
// others.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/phase.h"
#include "energy/energy_config.h"
#include "parallel/launch.h"
#include "trainer/config/run_folder.h"
#include "trainer/run/pauses.h"

namespace lmtrain {

class RunPauses {
 public:
  // Collective. `paused_before` as for Pauses. Throws ConfigError where the series cannot be read.
  RunPauses(const EnergyConfig& config, const RunFolder& folder, double paused_before,
            Launch& launch);

  // Whether this rank finds that the run is to pause, which rank 0 alone does.
  bool is_due();
  // Collective. Rank 0 logs the pause and, where the run gives its machines back, writes when to
  // start again: in the run's folder, and where LMTRAIN_RESUME_AT of a batch script wants it.
  // Returns why.
  std::string say(int64_t done);
  // Collective. Returns when no pause is due any more; `look` is called each second and may throw.
  void wait(PhaseTracker& phases, const std::function<void()>& look);

 private:
  RunFolder folder_;
  Launch& launch_;
  std::optional<Pauses> pauses_;  // on rank 0
};

}  // namespace lmtrain

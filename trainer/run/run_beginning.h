// How a run begins: where it continues, and its folder, held and made ready for this job.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "energy/ledger/power_logger.h"
#include "energy/report/run_facts.h"
#include "parallel/launch.h"
#include "trainer/checkpoint/start_point.h"
#include "trainer/config/held_folder.h"
#include "trainer/config/load_config.h"
#include "trainer/config/run_folder.h"
#include "trainer/run/metrics.h"
#include "trainer/start/job.h"
#include "trainer/step/trainer.h"

namespace lmtrain {

// What the note of a run that eval.patience has ended begins with.
inline constexpr char kEndedEarly[] = "The run ended early";

// The records in the run's folder as rank 0 has them while the job lasts: what an earlier attempt
// left unfinished is gone, and the log and the metrics continue.
class OpenedFolder {
 public:
  OpenedFolder(const RunFolder& folder, const Config& config, const StartPoint& start);

  MetricsLog& metrics() { return metrics_; }
  // When the run began, and what it inherited from another run's checkpoint.
  const RunFacts& beginning() const { return beginning_; }

 private:
  RunFacts beginning_;
  MetricsLog metrics_;
};

// A run that goes back to a checkpoint because of a spike (train.spikes.policy = roll_back).
struct RollBack {
  int64_t step = 0;  // the spike's, counted from 1
  GuardState guard;  // as it was then
  std::string reason;
  double began = 0;  // by monotonic_seconds()
  // From the attempt before.
  std::shared_ptr<HeldFolder> held = nullptr;  // on rank 0
  at::Device device = at::kCPU;
  std::shared_ptr<Trace> trace = nullptr;
};

struct RunBeginning {
  Job job;
  RunFolder folder;
  StartPoint start;
  std::shared_ptr<HeldFolder> held;      // on rank 0; a save beside training shares it
  std::unique_ptr<OpenedFolder> opened;  // on rank 0
  std::unique_ptr<PowerLogger> power;    // meters since the job began
  NextAttempt attempt;
  EnergyPrice price;                  // of this attempt
  std::optional<RollBack> roll_back;  // that brought the run to its start point

  const Config& config() const { return job.config(); }
};

// Collective. Nothing where the run has finished all its steps, which is said. Throws as start_job,
// and Error with ExitCode::kHeld where another job holds the folder. `phases` outlives the result.
// `roll_back` is what brought the run back here within this process.
std::optional<RunBeginning> begin_run(const LoadedConfig& given,
                                      const std::optional<RollBack>& roll_back,
                                      PhaseTracker& phases, Launch& launch);

// What a checkpoint says of the job that saves it at this step; how much the run has taken by then
// is left open.
CheckpointState checkpoint_state(const Job& job, int64_t step, const Launch& launch);

// Collective. Gives the trainer the weights, the optimizer's state and the rest that the run starts
// from.
void load_beginning(const RunBeginning& run, Trainer& trainer, Launch& launch);

}  // namespace lmtrain

// What a run writes down while it trains: metrics, energy, and the report of both.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "energy/grid/energy_price.h"
#include "energy/ledger/power_logger.h"
#include "energy/ledger/totals.h"
#include "energy/report/report.h"
#include "energy/report/run_facts.h"
#include "energy/report/spending.h"
#include "models/model_sizes.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/run/metrics.h"
#include "trainer/run/run_beginning.h"
#include "trainer/run/run_report.h"
#include "trainer/run/slow_ranks.h"
#include "trainer/step/trainer.h"

namespace lmtrain {

// What all ranks together could compute, in floating-point operations per second; none where it is
// not known.
struct Ceilings {
  std::optional<double> matmul;      // measured, at the start of the attempt
  std::optional<double> data_sheet;  // of GPUs, in bf16
};

class RunRecorder {
 public:
  // Collective: writes provenance.json and a first report. `run` and `launch` outlive this.
  RunRecorder(RunBeginning& run, const std::string& command_line, const ParameterStore& store,
              const Ceilings& ceilings, Launch& launch);

  // What the attempts before this one have spent; the same on every rank.
  const Spending& spent_before() const { return spent_before_; }
  // For how long pauses had delayed the run before this attempt, in seconds; on rank 0.
  double paused_before() const { return paused_before_; }
  // Collective: what this attempt has spent by now.
  Spending spent_by_now();
  // Whether a sensor of this rank measures devices of this kind, which a model does not.
  bool measures(DeviceKind kind) const;
  // Collective: the energy that this attempt's computers have taken by now; differences of it are
  // what a span of time has cost.
  double joules_by_now();
  // What this attempt had spent when the step began that these are the signals of.
  Spending spent(const RankSignals& signals) const;

  // Around a step, which counts from 0: what this rank tells the others, and what came of it.
  RankSignals begin_step(int64_t step);
  uint64_t clock_limits() const { return power_.clock_limits(); }  // of this rank's GPU
  // `remaining_steps` is how many are expected to follow.
  void end_step(int64_t step, const StepResult& result, const Trainer& trainer, double seconds,
                double remaining_steps);
  void validation(int64_t step, ValidationMetrics metrics);
  void task(int64_t step, const TaskMetrics& metrics);
  // Collective: whether a validation of that step is on record.
  bool has_validated(int64_t step) const;
  // Collective: the same of a task.
  bool has_evaluated(const std::string& task, int64_t step) const;
  // The best validation by eval.measure, and how many have followed it; on rank 0, where there was
  // one.
  struct BestValidation {
    CurvePoint point;
    int64_t num_since = 0;
  };
  std::optional<BestValidation> best_validation() const;

  // What each rank's energy is counted by from now on.
  void take_series(std::shared_ptr<const IntensitySeries> series) {
    power_.set_series(std::move(series));
  }

  // The power caps that this attempt has tried by that step; it fills in which attempt this is.
  void power_caps(int64_t step, CapFacts caps);

  // Before a save: adds what the run has taken up to that to the checkpoint's state, and has the
  // energy up to it in the ledger.
  void go_with(CheckpointState& state);
  // Collective, once it has succeeded: the report of what the run had done up to it.
  void saved(const SaveTimes& times);
  // Once it has been abandoned.
  void save_failed(int64_t step, const std::string& reason);

  // Collective, at the end of the attempt: ends the power logger, then writes the last report,
  // which rank 0 gets.
  void stop_power(bool in_order = true) { power_.stop(in_order); }
  EmissionsReport write_report(int64_t step, bool finished);

  // Collective, where all ranks fail: the report of what the run has done and taken by then.
  void write_report_of_failure();

  // What the report says of the training; rank 0's count.
  RunFacts& facts() { return facts_; }

 private:
  void warn_of_slow_ranks(const std::vector<RankSpeed>& speeds);
  MetricsLog* metrics();                               // null but on rank 0
  const std::vector<CurvePoint>& validations() const;  // by eval.measure; on rank 0
  Inherited inherited() const { return facts_.inherited.value_or(Inherited{}); }
  double flops_per_token() const;
  std::optional<double> believed_share(double share);
  void fill_facts(int64_t step, bool finished);
  void fill_quality();
  void fill_speed();

  RunBeginning& run_;
  Launch& launch_;
  RunFacts facts_;
  RunFacts facts_of_save_;  // of the save that is under way
  ModelProducts products_;
  Ceilings ceilings_;
  PowerLogger& power_;
  std::vector<std::string> hosts_;  // of the ranks
  SlowRanks slow_ranks_;
  int64_t done_;         // steps that are done
  int64_t num_devices_;  // accelerators or, without any, nodes
  RunReporter reporter_;
  Spending spent_before_;
  double paused_before_ = 0;
  double earlier_joules_ = 0;       // of the attempts before this one, all ranks; rank 0
  double earlier_grams_ = 0;        // CO2e of the same
  double attempt_joules_ = 0;       // of this one, all ranks
  double targets_per_token_ = 1.0;  // of the last step
  int64_t num_roll_backs_ = 0;      // whose spikes are not in the metrics any more
};

}  // namespace lmtrain

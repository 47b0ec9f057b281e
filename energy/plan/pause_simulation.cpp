#include "energy/plan/pause_simulation.h"

#include <algorithm>
#include <limits>

namespace lmtrain {
namespace {

// Plays a run through, span by span.
class Simulation {
 public:
  Simulation(const IntensitySeries& series, const PausingRun& run) : series_(series), run_(run) {
    result_.ends = run.begins;
  }

  // The same power for so long; what the hardware's making adds goes on where it is the run's.
  void spend(double seconds, double watts, bool holds_hardware = true) {
    double left = seconds;
    while (left > 0) {
      const double part = std::min(left, until_change());
      const double kwh = watts * part / 3.6e6;
      result_.kwh += kwh;
      result_.grams += kwh * run_.pue * intensity();
      if (holds_hardware) result_.embodied_grams += run_.embodied_g_per_second * part;
      result_.ends += part;
      left -= part;
    }
  }

  double intensity() const { return series_.at(result_.ends).value_or(run_.otherwise_g_per_kwh); }
  // Hours of which the series says nothing are worked in.
  bool is_above(double limit) const { return series_.at(result_.ends).value_or(0) > limit; }

  // Until another span begins, or this one ends.
  double until_change() const {
    double next = std::numeric_limits<double>::infinity();
    for (const IntensitySeries::Span& span : series_.spans()) {
      if (span.begin > result_.ends) {
        next = std::min(next, span.begin);
        break;
      }
      if (span.end > result_.ends) next = std::min(next, span.end);
    }
    return next - result_.ends;
  }

  PausedRun& result() { return result_; }

 private:
  const IntensitySeries& series_;
  const PausingRun& run_;
  PausedRun result_;
};

}  // namespace

PausedRun simulate_pauses(const IntensitySeries& series, const PausingRun& run, double pause_above,
                          double max_delay_seconds, PauseMode mode) {
  Simulation simulation(series, run);
  PausedRun& result = simulation.result();
  const bool holds = mode == PauseMode::kWait;
  double worked = 0;
  while (worked < run.work_seconds) {
    const double may_wait = max_delay_seconds - result.paused_seconds;
    if (simulation.is_above(pause_above) && may_wait > 0) {
      const bool has_begun = worked > 0;
      if (has_begun) simulation.spend(run.save_seconds, run.watts);
      ++result.num_pauses;
      double waited = 0;
      while (simulation.is_above(pause_above) && waited < may_wait) {
        const double part = std::min(may_wait - waited, simulation.until_change());
        simulation.spend(part, holds ? run.idle_watts : 0, holds);
        waited += part;
      }
      result.paused_seconds += waited;
      if (!holds && has_begun) simulation.spend(run.start_seconds, run.watts);
      continue;
    }
    const double part = std::min(run.work_seconds - worked, simulation.until_change());
    simulation.spend(part, run.watts);
    worked += part;
  }
  return result;
}

}  // namespace lmtrain

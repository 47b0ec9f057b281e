#include "energy/report/spent_until_step.h"

#include <algorithm>

namespace lmtrain {
namespace {

// The attempt that computed the step last; the first one for the step before all; null for a step
// that none has computed.
const AttemptEnergy* attempt_of(const EmissionsReport& report, int64_t step) {
  const AttemptEnergy* last = nullptr;
  for (const AttemptEnergy& attempt : report.attempts) {
    const bool is_before_all = last == nullptr && step < attempt.first_step;
    const bool has_done = attempt.first_step <= step && step <= attempt.last_step;
    if (attempt.has_computed && (is_before_all || has_done)) last = &attempt;
  }
  return last;
}

// When the first sample behind the step began; the end of the attempt where there is none.
double seconds_until(const EnergyTotals& totals, int64_t step) {
  double begin = 0.0;
  for (const EnergySeries::Point& point : totals.series.points()) {
    if (point.step > step) return begin;
    begin = point.seconds;
  }
  return totals.seconds;
}

}  // namespace

SpentUntilStep spent_until_step(const EmissionsReport& report, int64_t step) {
  const AttemptEnergy* const last = attempt_of(report, step);
  SpentUntilStep spent;
  for (const AttemptEnergy& attempt : report.attempts) {
    if (&attempt == last) break;
    spent.joules += attempt.energy.joules;
    spent.seconds += attempt.seconds;
  }
  if (last == nullptr) return spent;
  for (const EnergyTotals& totals : report.totals) {
    if (totals.start.attempt != last->attempt || totals.start.place.rank != 0) continue;
    spent.seconds += std::min(last->seconds, seconds_until(totals, step));
    if (totals.joules() <= 0.0) continue;
    const double later = totals.series.joules_from_step(totals.start.first_step, step + 1);
    spent.joules += last->energy.joules * (1.0 - later / totals.joules());
  }
  return spent;
}

}  // namespace lmtrain

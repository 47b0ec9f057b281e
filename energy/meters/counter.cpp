#include "energy/meters/counter.h"

#include <limits>

#include "base/text.h"

namespace lmtrain {
namespace {

// A difference may cover this much more time than lies between its readings: counters are updated
// every few milliseconds and read a little after the clock.
constexpr double kSlackSeconds = 1.0;
// The slowest counters are updated every second.
constexpr double kStillSeconds = 2.5;
// Twice the longest interval that can be configured. The power during a longer pause is unknown.
constexpr double kMaxIntegratedSeconds = 120.0;

}  // namespace

double EnergyCounter::max_seconds_between_reads() const {
  if (limits_.range_microjoules == 0) return std::numeric_limits<double>::infinity();
  return static_cast<double>(limits_.range_microjoules) * 1e-6 / (2.0 * limits_.max_watts);
}

Reading EnergyCounter::advance(double now, uint64_t microjoules) {
  const uint64_t last = started_ ? value_ : microjoules;
  const double since_read = started_ ? now - read_ : 0.0;
  const double still = started_ ? read_ - moved_ : 0.0;
  const bool starts = !started_;
  started_ = true;
  read_ = now;
  value_ = microjoules;
  if (starts) moved_ = now;
  if (microjoules == last) return without_news(now);

  const double seconds = still > kStillSeconds ? since_read : now - moved_;
  moved_ = now;
  const uint64_t range = limits_.range_microjoules;
  if (range > 0 && since_read > 2.0 * max_seconds_between_reads()) {
    return missing_reading(cat("not read for ", human_duration(since_read),
                               ", in which its counter may have wrapped more than once"));
  }
  if (microjoules < last && (range < last || range == 0)) {
    return missing_reading("its counter was reset");
  }
  const uint64_t difference =
      microjoules >= last ? microjoules - last : microjoules + (range - last);
  const double joules = static_cast<double>(difference) * 1e-6;
  if (joules > limits_.max_watts * (seconds + kSlackSeconds)) {
    return missing_reading(microjoules < last
                               ? "its counter was reset"
                               : "its counter jumped by more than the device can draw");
  }
  return reading_within(seconds, joules, limits_.relative_error);
}

Reading EnergyCounter::without_news(double now) const {
  if (!stands_still(now)) return reading_within(0.0, 0.0, 0.0);
  return missing_reading(cat("its counter has stood still for ", human_duration(now - moved_)));
}

bool EnergyCounter::stands_still(double now) const { return now - moved_ > kStillSeconds; }

Reading PowerIntegral::advance(double now, double watts) {
  const std::optional<Point> last = last_;
  last_ = Point{now, watts};
  if (!last) return reading_within(0.0, 0.0, 0.0);
  const double seconds = now - last->time;
  if (seconds > kMaxIntegratedSeconds) {
    return missing_reading(cat("its power was not read for ", human_duration(seconds)));
  }
  return reading_within(seconds, 0.5 * (last->watts + watts) * seconds, relative_error_);
}

}  // namespace lmtrain

// From what a sensor shows to joules: counters that wrap and reset, and power that must be
// integrated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "energy/meter.h"

namespace lmtrain {

// Turns the values of a cumulative counter into readings.
//
// A value below the last one is a wrap or a reset. Both, and a second wrap between two readings,
// are told apart by what is physically possible: a difference that needs more than `max_watts` is a
// gap, and so is a time in which the counter can have gone round more than once.
class EnergyCounter {
 public:
  struct Limits {
    uint64_t range_microjoules;  // the value after which it starts again at 0; 0 when it never does
    double max_watts;            // above what the device can draw
    double relative_error;       // of its energy
  };
  explicit EnergyCounter(Limits limits) : limits_(limits) {}

  Reading advance(double now, uint64_t microjoules);

  // Half the shortest time in which it can wrap.
  double max_seconds_between_reads() const;

 private:
  Limits limits_;
  bool started_ = false;
  double time_ = 0.0;
  uint64_t value_ = 0;
};

// Integrates power between neighbouring readings by the trapezoidal rule. After a gap it starts
// anew.
class PowerIntegral {
 public:
  explicit PowerIntegral(double relative_error) : relative_error_(relative_error) {}

  Reading advance(double now, double watts);
  void interrupt() { last_.reset(); }

 private:
  struct Point {
    double time;
    double watts;
  };
  double relative_error_;
  std::optional<Point> last_;
};

}  // namespace lmtrain

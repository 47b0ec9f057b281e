// Turns what a sensor shows into joules. Counters wrap and are reset; power must be integrated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "energy/meters/meter.h"

namespace lmtrain {

// Turns the values of a cumulative counter into readings.
//
// A value below the last one means that the counter wrapped or was reset. A reading is missing if
// its difference would need more than `max_watts`, which tells a reset from a wrap, and if so much
// time has passed that the counter may have wrapped twice.
//
// No device in use draws nothing. A counter that stays the same for a moment is between two of its
// updates, and the next one brings the energy of that time. If it stays longer, it stands still:
// its readings are missing, and so is that time when it moves again.
class EnergyCounter {
 public:
  struct Limits {
    uint64_t range_microjoules;  // the value at which it starts again at 0; 0 if it never wraps
    double max_watts;            // more than the device can draw
    double relative_error;       // of the energy
  };
  explicit EnergyCounter(Limits limits) : limits_(limits) {}

  Reading advance(double now, uint64_t microjoules);
  // Whether it has stayed the same for longer than a counter in use does.
  bool stands_still(double now) const;

  // Half of the shortest time in which the counter can wrap.
  double max_seconds_between_reads() const;

 private:
  Reading without_news(double now) const;

  Limits limits_;
  bool started_ = false;
  double moved_ = 0.0;  // when its value last changed, or the count began anew
  double read_ = 0.0;   // when it was last read
  uint64_t value_ = 0;
};

// Integrates power between neighbouring readings by the trapezoidal rule. It starts anew after a
// gap.
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

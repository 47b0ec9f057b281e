// An energy, and the emissions that it causes, known within two ends.
#pragma once

namespace lmtrain {

// An energy between two ends. Sums add the ends, as if all errors went the same way.
struct EnergyRange {
  double joules = 0.0;
  double low = 0.0;
  double high = 0.0;

  void add(double more_joules, double more_low, double more_high) {
    joules += more_joules;
    low += more_low;
    high += more_high;
  }
  void add(const EnergyRange& more) { add(more.joules, more.low, more.high); }
};

struct EmissionsRange {
  double grams = 0.0;  // CO2e
  double low = 0.0;
  double high = 0.0;
};

}  // namespace lmtrain

// Config section `energy`.
#pragma once

#include <optional>
#include <string>

#include "base/config_fields.h"

namespace lmtrain {

struct EnergyConfig {
  double interval_seconds = 1.0;
  double pue = 1.0;
  std::string region = "WORLD";
  std::optional<double> intensity_g_per_kwh;
  double cpu_tdp_watts = 0.0;

  void describe(Fields& f) {
    f.real("interval_seconds", interval_seconds, {.min = 0.01, .max = 60.0},
           "Seconds between two power readings.");
    f.real(
        "pue", pue, {.min = 1.0, .max = 10.0},
        "Power usage effectiveness: energy of the data centre divided by energy of its computers.");
    f.text("region", region,
           "Country or region of the grid: an ISO 3166 code of 2 or 3 letters, or WORLD "
           "(lmtrain doctor lists the codes).");
    f.optional_real(
        "intensity_g_per_kwh", intensity_g_per_kwh, {.min = 0.0, .max = 5000.0}, "region",
        "Carbon intensity of the electricity in gCO2e/kWh, such as that of a contract or "
        "of the hour; region takes the average of energy.region.");
    f.real(
        "cpu_tdp_watts", cpu_tdp_watts, {.min = 0.0, .max = 100000.0},
        "Thermal design power of a node's processors, for the model that is used if no sensor can "
        "be read; 0 takes it from the table of processors.");
  }
};

}  // namespace lmtrain

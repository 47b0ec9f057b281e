// What a run will take before it starts: energy, emissions, hardware, water and money, each within
// two ends. The formula is that of Patterson et al., "Carbon Emissions and Large Neural Network
// Training" (2021): time x power x PUE x intensity of the grid.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "energy/energy_config.h"
#include "energy/grid/energy_price.h"
#include "energy/report/account.h"
#include "energy/report/report_config.h"

namespace lmtrain {

// A number that is not known yet.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
};
Estimate operator*(const Estimate& a, const Estimate& b);
Estimate operator+(const Estimate& a, const Estimate& b);
Estimate operator*(const Estimate& a, double factor);
// `value` within these shares of it.
Estimate estimate(double value, double low_share, double high_share);

// The time of so many floating-point operations on devices that reach so many a second.
inline double seconds_of(double flops, double num_devices, double flops_of_device) {
  return flops / (num_devices * flops_of_device);
}
// 6 operations for each parameter and token, of a mixture of experts for each active parameter
// (Kaplan et al., 2020).
inline double flops_by_parameters(double active_parameters, double tokens) {
  return 6 * active_parameters * tokens;
}

struct PlannedRun {
  Estimate seconds;
  Estimate watts;           // of all computers together, while it runs
  std::string device;       // "h100"; of nodes without accelerators their processors
  int64_t num_devices = 0;  // accelerators; 0: without any
  int64_t num_nodes = 0;
  EnergyPrice price;
  std::shared_ptr<const IntensitySeries> series;  // null: the price's grid counts at all hours
  double begins = 0;                              // Unix time
};

struct EnergyPlan {
  Estimate kwh;           // of the computers
  Estimate facility_kwh;  // with PUE
  Estimate kg_co2e;       // location-based; the ends contain the errors of PUE and grid
  GridIntensity grid;     // that it counts at; the mean of the series over the run's hours
  std::optional<double> market_kg_co2e;
  std::vector<EmbodiedPart> embodied;
  std::optional<Estimate> water_litres;
  double money = 0;  // 0: no price is set

  double embodied_kg_co2e() const;
};

EnergyPlan plan_energy(const PlannedRun& run, const EnergyConfig& config,
                       const ReportConfig& people);

// A start within a series, and the mean intensity of a run that begins there.
struct StartHour {
  double begins = 0;  // Unix time
  double g_per_kwh = 0;
};
// All starts at which a span of the series begins and the run ends within it, the cleanest first.
std::vector<StartHour> start_hours(const IntensitySeries& series, double seconds);

}  // namespace lmtrain

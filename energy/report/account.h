// What a run owes beyond its energy and the emissions of its electricity: by contracts, of the
// hardware's making, water; and what follows for each token. The formats of reports are made of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "energy/report/report.h"
#include "energy/report/report_config.h"

namespace lmtrain {

// A kind of hardware and the run's share of the emissions of its making.
struct EmbodiedPart {
  std::string what;         // "server", "NVIDIA H100 80GB HBM3"
  bool is_server = false;   // else an accelerator
  int64_t count = 0;        // at most at one time
  double device_days = 0;   // over all attempts, of a shared server this job's part
  double kg_each = 0;       // of making one
  double grams = 0;         // kg_each x device_days / lifetime
  bool is_assumed = false;  // not published for this device
  std::string source;
};

struct Account {
  EmissionsRange location;  // emissions.grams of the report; contains the error of PUE and grid too
  std::optional<double> market_grams;
  std::string market_how;  // "by contracts, 20 gCO2e/kWh: guarantees of origin, 2026"
  double offsets_grams = 0;
  double captured_grams = 0;
  std::optional<double> water_litres;
  double lifetime_years = 0;
  std::vector<EmbodiedPart> embodied;

  double wall_days = 0;    // of all attempts
  double device_days = 0;  // of accelerators or, without any, of nodes
  int64_t num_devices = 0;
  std::string devices;  // "NVIDIA H100 80GB HBM3"; without accelerators "AMD EPYC"
  bool has_gpus = false;

  double embodied_grams() const;
  // Of use and making: E x I + M of the SCI specification (ISO/IEC 21031), gross and
  // location-based.
  double total_grams() const { return location.grams + embodied_grams(); }
};

// Errors that the interval adds to the meters' own. PUE: 5% where it is set; where it is assumed,
// up to 1.58, the mean of the Uptime Institute's survey of 2023. Grid: 10% where a number was set,
// 30% for a yearly average, which the hours of a year are spread around.
inline constexpr double kSetPueError = 0.05;
inline constexpr double kSurveyedPue = 1.58;
inline constexpr double kSetGridError = 0.10;
inline constexpr double kYearlyGridError = 0.30;

// What a price's errors make of the emissions: factors of the low and of the high end.
struct PriceError {
  double low = 1;
  double high = 1;
};
PriceError error_of(const EnergyPrice& price);

// Location-based emissions with the errors of meters, PUE and grid; and those by the prices that
// the attempts ran under, where the report has been priced anew.
EmissionsRange location_based(const EmissionsReport& report);
EmissionsRange location_based_before(const EmissionsReport& report);

// Who says what the PUE is: people, or the provider of the cloud's region; "" where nobody does.
std::string source_of_pue(const EmissionsReport& report, const ReportConfig& people);

// "AMD EPYC" of the label of the processors' sensor, "processors, modelled (AMD EPYC, taken as its
// family: ...)"; a label of another kind as it is.
std::string processor_of(const std::string& label);

enum class Hardware { kServer, kServerForAccelerators, kAccelerator };
// The share of a run that has `count` such devices for `device_days` in all.
EmbodiedPart embodied_part(Hardware kind, const std::string& what, int64_t count,
                           double device_days, const ReportConfig& people);

Account account_of(const EmissionsReport& report, const ReportConfig& people);

}  // namespace lmtrain

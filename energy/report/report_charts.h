// Draws the pictures of a report.
#pragma once

#include <string>
#include <vector>

#include "energy/report/report.h"

namespace lmtrain {

// Each returns SVG text, or "" when the run has nothing to show.
std::string loss_chart(const RunFacts& facts);
// The power of all nodes over the running time of all attempts, stacked by kind of device.
std::string power_chart(const EmissionsReport& report);
std::string phase_chart(const EmissionsReport& report);
// How often each label of the validation was predicted as each; "" also for very many labels.
std::string confusion_chart(const RunFacts& facts);
// From the start on, over the running time of all attempts: kWh of the computers, and CO2e of the
// facility's electricity at the price of each attempt.
std::string cumulative_energy_chart(const EmissionsReport& report);
std::string cumulative_emissions_chart(const EmissionsReport& report);
// Losses over the energy that had been spent when their step was done (for the last time, where it
// was computed again).
std::string loss_by_energy_chart(const EmissionsReport& report, const RunFacts& facts);

// The mean watts of each kind of device in `num_bins` equal parts of the run's `seconds`.
std::vector<std::array<double, kNumDeviceKinds>> power_over_time(const EmissionsReport& report,
                                                                 size_t num_bins);

}  // namespace lmtrain

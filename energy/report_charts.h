// The pictures of a report.
#pragma once

#include <string>
#include <vector>

#include "energy/report.h"

namespace lmtrain {

// Each as SVG text. "" when the run has nothing to show in it.
std::string loss_chart(const RunFacts& facts);
// Power of all nodes over the running time of all attempts, stacked by kind of device.
std::string power_chart(const std::vector<EnergyTotals>& totals, const EmissionsReport& report);
std::string phase_chart(const EmissionsReport& report);

// Mean watts of each kind of device in `num_bins` equal parts of the run's `seconds`.
std::vector<std::array<double, kNumDeviceKinds>> power_over_time(
    const std::vector<EnergyTotals>& totals, const EmissionsReport& report, size_t num_bins);

}  // namespace lmtrain

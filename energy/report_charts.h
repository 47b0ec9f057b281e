// Draws the pictures of a report.
#pragma once

#include <string>
#include <vector>

#include "energy/report.h"

namespace lmtrain {

// Each returns SVG text, or "" when the run has nothing to show.
std::string loss_chart(const RunFacts& facts);
// The power of all nodes over the running time of all attempts, stacked by kind of device.
std::string power_chart(const EmissionsReport& report);
std::string phase_chart(const EmissionsReport& report);

// The mean watts of each kind of device in `num_bins` equal parts of the run's `seconds`.
std::vector<std::array<double, kNumDeviceKinds>> power_over_time(const EmissionsReport& report,
                                                                 size_t num_bins);

}  // namespace lmtrain

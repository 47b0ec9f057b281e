// Rows of tables that report.md and report.html both show.
#pragma once

#include <string>
#include <vector>

#include "energy/report/report.h"

namespace lmtrain {

using ReportRow = std::vector<std::string>;

// "12.3%".
std::string percent(double share);

// Factor, planned, actual, actual over planned; empty where there is no plan of a finished run.
std::vector<ReportRow> plan_rows(const EmissionsReport& report);

// What was spent on it, time, its share, energy, its share; without what took neither.
std::vector<ReportRow> use_rows(const EmissionsReport& report);

}  // namespace lmtrain

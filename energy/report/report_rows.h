// Rows of tables that report.md and report.html both show.
#pragma once

#include <string>
#include <vector>

#include "energy/report/account.h"
#include "energy/report/report.h"
#include "energy/report/run_facts.h"

namespace lmtrain {

using ReportRow = std::vector<std::string>;

// A text within a table of Markdown.
std::string markdown_cell(const std::string& text);

// "12.3%".
std::string percent(double share);

// "networks and storage outside the nodes": those of the two of which no allowance is counted, or
// "".
std::string networks_and_storage_left_out(const EmissionsReport& report);

// Factor, planned, actual, actual over planned; empty where there is no plan of a finished run.
std::vector<ReportRow> plan_rows(const EmissionsReport& report);

// Setting, seconds a step, joules a step, and both against those without a cap, of the attempt that
// tried power caps last; empty where none did.
std::vector<ReportRow> cap_rows(const RunFacts& facts);
// "The caps that attempt 2 tried; it took 280 W."
std::string cap_sentence(const RunFacts& facts);

// "Slurm's figure for job 12" and what to say of it, of each such job.
std::vector<ReportRow> batch_rows(const EmissionsReport& report);

// Line, amount, how: electricity by location and by contracts, offsets, what the hardware's making
// comes to, water, cost.
std::vector<ReportRow> account_rows(const EmissionsReport& report, const Account& account);

// What was spent on it, time, its share, energy, its share; without what took neither.
std::vector<ReportRow> use_rows(const EmissionsReport& report);

}  // namespace lmtrain

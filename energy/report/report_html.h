// report.html: a page for a browser, in one file that needs no network. docs/energy.md.
#pragma once

#include <filesystem>
#include <string>

#include "energy/report/account.h"
#include "energy/report/report.h"
#include "energy/report/run_facts.h"

namespace lmtrain {

// A page of a run that is not finished loads itself again now and then.
std::string report_html(const EmissionsReport& report, const RunFacts& facts,
                        const Account& account, const ReportConfig& people);

}  // namespace lmtrain

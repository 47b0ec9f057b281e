#include "energy/report/report_rows.h"

#include "base/text.h"
#include "energy/amount_text.h"

namespace lmtrain {

std::string percent(double share) { return cat(fixed(100.0 * share, 1), "%"); }

std::vector<ReportRow> plan_rows(const EmissionsReport& report) {
  if (!report.plan) return {};
  std::vector<ReportRow> rows;
  for (const FactorCompared& factor : report.plan->factors) {
    const std::string unit = factor.unit.empty() ? "" : " " + factor.unit;
    rows.push_back({factor.name, three_digits(factor.planned) + unit,
                    three_digits(factor.actual) + unit,
                    factor.planned > 0 ? fixed(factor.actual / factor.planned, 3) : ""});
  }
  return rows;
}

std::vector<ReportRow> use_rows(const EmissionsReport& report) {
  const RunUse use = report.use();
  const double seconds = use.all_seconds();
  const double joules = report.energy.joules;
  std::vector<ReportRow> rows;
  for (const auto& part : use.parts()) {
    if (part.use->seconds <= 0 && part.use->joules <= 0) continue;
    const bool is_metered = part.use != &use.between;
    rows.push_back({part.text, human_duration(part.use->seconds),
                    percent(seconds > 0 ? part.use->seconds / seconds : 0),
                    is_metered ? energy_text(part.use->joules) : "",
                    is_metered && joules > 0 ? percent(part.use->joules / joules) : ""});
  }
  return rows;
}

}  // namespace lmtrain

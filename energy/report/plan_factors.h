// The factors of which a plan is the product, kept beside the run's folder and held against what
// the run took in the end.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lmtrain {

struct EmissionsReport;
struct RunFacts;

struct PlanFactors {
  std::string source;  // where the time of a step is from
  std::string made;    // when: "2026-01-31T12:00:00Z"
  double flops = 0;    // of the whole training
  double step_seconds = 0;
  double hours = 0;  // of the whole run
  double watts = 0;  // of all computers together
  double kwh = 0;    // of the computers
  double kwh_low = 0;
  double kwh_high = 0;
  double pue = 1;
  double g_per_kwh = 0;
  double kg_co2e = 0;
  double money = 0;  // 0: no price is set
};

std::string to_json(const PlanFactors& plan);
// Throws DataError.
PlanFactors parse_plan(std::string_view text);
// Nothing where there is no file; a damaged one is left out with a warning.
std::optional<PlanFactors> load_plan(const std::filesystem::path& path);

// A factor as it was planned and as it came.
struct FactorCompared {
  std::string name;
  double planned = 0;
  double actual = 0;
  std::string unit;
};
// A plan beside what came of it.
struct PlanCompared {
  PlanFactors plan;
  std::vector<FactorCompared> factors;  // empty for a run that has not finished
};

PlanCompared compare_with_plan(const PlanFactors& plan, const EmissionsReport& report,
                               const RunFacts& facts);

}  // namespace lmtrain

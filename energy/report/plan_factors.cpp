#include "energy/report/plan_factors.h"

#include "base/durable_file.h"
#include "base/log.h"
#include "energy/json_fields.h"
#include "energy/report/report.h"

namespace lmtrain {
namespace {

// Each number with its key in the file.
template <class Plan, class Visitor>
void visit_numbers(Plan& plan, const Visitor& visit) {
  visit("flops", plan.flops);
  visit("step_seconds", plan.step_seconds);
  visit("hours", plan.hours);
  visit("watts", plan.watts);
  visit("kwh", plan.kwh);
  visit("kwh_low", plan.kwh_low);
  visit("kwh_high", plan.kwh_high);
  visit("pue", plan.pue);
  visit("g_per_kwh", plan.g_per_kwh);
  visit("kg_co2e", plan.kg_co2e);
}

}  // namespace

std::string to_json(const PlanFactors& plan) {
  nlohmann::ordered_json json = {
      {"format", "lmtrain-plan-1"}, {"made", plan.made}, {"source", plan.source}};
  visit_numbers(plan, [&](const char* key, double value) { json[key] = value; });
  if (plan.money > 0) json["money"] = plan.money;
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

PlanFactors parse_plan(std::string_view text) {
  const nlohmann::json json = parse_json(text);
  PlanFactors plan;
  plan.made = text_field(json, "made");
  plan.source = text_field(json, "source");
  const auto read = [&](const char* key, double& value) {
    value = number_field(json, key);
    if (!(value >= 0)) throw DataError(cat("\"", key, "\" is below 0"));
  };
  visit_numbers(plan, read);
  if (json.contains("money")) read("money", plan.money);
  return plan;
}

std::optional<PlanFactors> load_plan(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  try {
    return parse_plan(read_file(path));
  } catch (const Error& problem) {
    log_warn(cat("the plan ", path.string(), " is left out of the report: ", problem.what()));
    return std::nullopt;
  }
}

PlanCompared compare_with_plan(const PlanFactors& plan, const EmissionsReport& report,
                               const RunFacts& facts) {
  if (!facts.finished || facts.steps == 0 || report.seconds <= 0 || report.energy.joules <= 0)
    return {plan, {}};
  const double facility = report.cost.facility.joules;
  PlanCompared compared = {
      plan,
      {{"operations", plan.flops * 1e-15, facts.flops * 1e-15, "PFLOP"},
       {"time of a step", plan.step_seconds, facts.seconds / static_cast<double>(facts.steps), "s"},
       {"time of the run", plan.hours, report.seconds / 3600, "h"},
       {"power of the computers", plan.watts, report.energy.joules / report.seconds, "W"},
       {"energy of the computers", plan.kwh, kwh(report.energy.joules), "kWh"},
       {"PUE", plan.pue, facility / report.energy.joules, ""},
       {"intensity of the grid", plan.g_per_kwh, report.cost.emissions.grams / kwh(facility),
        "gCO2e/kWh"},
       {"emissions", plan.kg_co2e, report.cost.emissions.grams / 1000, "kgCO2e"}}};
  if (plan.money > 0 && report.money > 0)
    compared.factors.push_back({"cost", plan.money, report.money, report.currency});
  return compared;
}

}  // namespace lmtrain

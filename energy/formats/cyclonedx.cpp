// CycloneDX 1.6: a bill of materials with the model as its one component. Energies are the
// facility's.
#include "base/build_info.h"
#include "base/text.h"
#include "energy/formats/wording.h"

namespace lmtrain {
namespace {

using nlohmann::ordered_json;

ordered_json kilowatt_hours(double joules) { return {{"value", kwh(joules)}, {"unit", "kWh"}}; }
ordered_json tonnes(double grams) { return {{"value", grams * 1e-6}, {"unit", "tCO2eq"}}; }

}  // namespace

std::string to_cyclonedx(const ReportedRun& run) {
  const EmissionsReport& report = run.report;
  const ReportConfig& people = run.people;
  const double pue = pue_of(run);
  const double grams_per_joule = report.cost.emissions.grams / report.energy.joules;
  const double evaluation = report.phases[static_cast<size_t>(Phase::kEvaluation)].joules;
  const double preparation = report.phases[static_cast<size_t>(Phase::kPreparation)].joules;
  const double offsets = run.account.offsets_grams + run.account.captured_grams;
  ordered_json consumptions = ordered_json::array();
  const auto add = [&](const char* activity, double joules) {
    if (joules <= 0) return;
    ordered_json provider = {
        {"organization",
         {{"name", people.energy_provider.empty() ? "not stated" : people.energy_provider}}},
        {"energySource", "unknown"},
        {"energyProvided", kilowatt_hours(joules * pue)}};
    if (!people.site.empty()) provider["description"] = people.site;
    ordered_json consumption = {{"activity", activity},
                                {"energyProviders", ordered_json::array({provider})},
                                {"activityEnergyCost", kilowatt_hours(joules * pue)},
                                {"co2CostEquivalent", tonnes(joules * grams_per_joule)}};
    // What was bought for the run stands with its first activity.
    if (offsets > 0 && consumptions.empty()) consumption["co2CostOffset"] = tonnes(offsets);
    consumptions.push_back(consumption);
  };
  add(run.facts.inherited ? "fine-tuning" : "training",
      report.energy.joules - evaluation - preparation);
  add("validation", evaluation);
  add("data-preparation", preparation);

  ordered_json model = {{"type", "machine-learning-model"},
                        {"bom-ref", "model"},
                        {"name", model_name(run)},
                        {"version", cat("step-", run.facts.steps)},
                        {"description", architecture_text(run)}};
  if (!people.publisher.empty()) model["publisher"] = people.publisher;
  if (run.is_exported)
    model["hashes"] =
        ordered_json::array({ordered_json{{"alg", "SHA-256"}, {"content", run.weights_sha256}}});
  // A licence of SPDX's list is an expression; other words are a name.
  const bool is_expression = people.licence.find(' ') == std::string::npos;
  const ordered_json licence = is_expression
                                   ? ordered_json{{"expression", people.licence}}
                                   : ordered_json{{"license", {{"name", people.licence}}}};
  if (!people.licence.empty()) model["licenses"] = ordered_json::array({licence});
  const auto property = [](const char* name, const std::string& value) {
    return ordered_json{{"name", cat("lmtrain:", name)}, {"value", value}};
  };
  const ordered_json properties = ordered_json::array(
      {property("method", method_text(run)), property("boundary", boundary_text(run)),
       property("pue", shortest(pue)), property("grid", grid_text(run)),
       property("energy_of_computers_kwh", shortest(kwh(report.energy.joules))),
       property("embodied_kg_co2e", shortest(run.account.embodied_grams() / 1000)),
       property("flops", shortest(run.facts.flops)), property("hardware", hardware_text(run))});
  const ordered_json environment = {{"energyConsumptions", consumptions},
                                    {"properties", properties}};
  model["modelCard"] = {
      {"modelParameters",
       {{"task", "language modelling"}, {"modelArchitecture", architecture_text(run)}}},
      {"considerations", {{"environmentalConsiderations", environment}}}};
  const ordered_json tool = {{"type", "application"}, {"name", "lmtrain"}, {"version", version()}};
  return document(
      {{"$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json"},
       {"bomFormat", "CycloneDX"},
       {"specVersion", "1.6"},
       {"serialNumber", cat("urn:uuid:", uuid_of(run))},
       {"version", 1},
       {"metadata",
        {{"timestamp", end_text(run)}, {"tools", {{"components", ordered_json::array({tool})}}}}},
       {"components", ordered_json::array({model})}});
}

}  // namespace lmtrain

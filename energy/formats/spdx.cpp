// SPDX 3.0.1: the model as an AI package, as JSON-LD. Energy is the facility's.
#include "base/build_info.h"
#include "base/text.h"
#include "energy/amount_text.h"
#include "energy/formats/wording.h"

namespace lmtrain {

using nlohmann::ordered_json;

std::string to_spdx(const ReportedRun& run) {
  const std::string root = cat("urn:uuid:", uuid_of(run));
  const std::string creation = "_:creation";
  const auto id = [&](const char* part) { return cat(root, "#", part); };
  const ordered_json energy = {{"type", "ai_EnergyConsumptionDescription"},
                               {"ai_energyQuantity", kwh(run.report.cost.facility.joules)},
                               {"ai_energyUnit", "kilowattHour"}};
  ordered_json package = {
      {"type", "ai_AIPackage"},
      {"spdxId", id("model")},
      {"creationInfo", creation},
      {"name", model_name(run)},
      {"summary", architecture_text(run)},
      {"software_packageVersion", cat("step-", run.facts.steps)},
      {"software_primaryPurpose", "model"},
      {"builtTime", end_text(run)},
      {"ai_typeOfModel", ordered_json::array({architecture_text(run)})},
      {"ai_energyConsumption",
       {{"type", "ai_EnergyConsumption"},
        {run.facts.inherited ? "ai_finetuningEnergyConsumption" : "ai_trainingEnergyConsumption",
         ordered_json::array({energy})}}},
      {"ai_informationAboutTraining",
       cat(with_commas(run.facts.tokens), " tokens, ", shortest(run.facts.flops), " FLOP, ",
           hardware_text(run), ", ", human_duration(run.report.seconds),
           "; emissions of the electricity, location-based and gross: ",
           emissions_range_text(run.account.location), " CO2e. ", method_text(run), " ",
           boundary_text(run))},
      {"suppliedBy", id("publisher")}};
  if (run.is_exported) {
    package["verifiedUsing"] = ordered_json::array({ordered_json{
        {"type", "Hash"}, {"algorithm", "sha256"}, {"hashValue", run.weights_sha256}}});
  }
  ordered_json graph = ordered_json::array(
      {{{"type", "CreationInfo"},
        {"@id", creation},
        {"specVersion", "3.0.1"},
        {"created", end_text(run)},
        {"createdBy", ordered_json::array({id("publisher")})},
        {"createdUsing", ordered_json::array({id("tool")})}},
       {{"type", "Organization"},
        {"spdxId", id("publisher")},
        {"creationInfo", creation},
        {"name", run.people.publisher.empty() ? "not stated" : run.people.publisher}},
       {{"type", "Tool"},
        {"spdxId", id("tool")},
        {"creationInfo", creation},
        {"name", cat("lmtrain ", version())}},
       package});
  ordered_json elements = ordered_json::array({id("publisher"), id("tool"), id("model")});
  // Not "ai": that profile also asks for a place of download and a date of release, which are not
  // of training.
  ordered_json profiles = ordered_json::array({"core", "software"});
  if (!run.people.licence.empty()) {
    profiles.push_back("simpleLicensing");
    graph.push_back({{"type", "simplelicensing_LicenseExpression"},
                     {"spdxId", id("licence")},
                     {"creationInfo", creation},
                     {"simplelicensing_licenseExpression", run.people.licence}});
    graph.push_back({{"type", "Relationship"},
                     {"spdxId", id("declared-licence")},
                     {"creationInfo", creation},
                     {"from", id("model")},
                     {"relationshipType", "hasDeclaredLicense"},
                     {"to", ordered_json::array({id("licence")})}});
    elements.push_back(id("licence"));
    elements.push_back(id("declared-licence"));
  }
  graph.push_back({{"type", "SpdxDocument"},
                   {"spdxId", id("document")},
                   {"creationInfo", creation},
                   {"profileConformance", profiles},
                   {"rootElement", ordered_json::array({id("model")})},
                   {"element", elements}});
  return document(
      {{"@context", "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}, {"@graph", graph}});
}

}  // namespace lmtrain

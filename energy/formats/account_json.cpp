// emissions.json with the account: contracts, offsets, hardware's making, water, rates.
#include "energy/formats/wording.h"

namespace lmtrain {
namespace {

using nlohmann::ordered_json;

ordered_json kg_json(const EmissionsRange& emissions) {
  return {{"value", emissions.grams / 1000},
          {"low", emissions.low / 1000},
          {"high", emissions.high / 1000}};
}

template <class Value>
ordered_json or_null(const std::optional<Value>& value, double factor = 1) {
  return value ? ordered_json(*value * factor) : ordered_json();
}

}  // namespace

std::string to_account_json(const ReportedRun& run) {
  const Account& account = run.account;
  const RunFacts& facts = run.facts;
  ordered_json json = emissions_json(run.report, facts);
  ordered_json parts = ordered_json::array();
  for (const EmbodiedPart& part : account.embodied) {
    parts.push_back({{"hardware", part.what},
                     {"count", part.count},
                     {"device_days", part.device_days},
                     {"kg_co2e_each", part.kg_each},
                     {"kg_co2e", part.grams / 1000},
                     {"assumed", part.is_assumed},
                     {"source", part.source}});
  }
  const auto rate = [&](double grams, double amount) {
    return amount > 0 ? ordered_json(grams / amount) : ordered_json();
  };
  const auto tokens = static_cast<double>(facts.tokens);
  const double facility_kwh = kwh(run.report.cost.facility.joules);
  json["account"] = {
      {"location_based_kg_co2e", kg_json(account.location)},
      {"market_based_kg_co2e", or_null(account.market_grams, 1e-3)},
      {"market_based_how", account.market_how},
      {"offsets_kg_co2e", account.offsets_grams / 1000},
      {"captured_kg_co2e", account.captured_grams / 1000},
      {"embodied_kg_co2e", account.embodied_grams() / 1000},
      {"embodied", parts},
      {"lifetime_years", account.lifetime_years},
      {"water_litres", or_null(account.water_litres)},
      {"wall_days", account.wall_days},
      {"device_days", account.device_days},
      {"devices", account.devices},
      {"device_count", account.num_devices},
      {"flops", facts.flops},
      {"parameters", facts.num_parameters},
      {"sci_g_per_token", rate(account.total_grams(), tokens)},
      {"sci_g_per_parameter",
       rate(account.total_grams(), static_cast<double>(facts.num_parameters))},
      {"sci_g_per_flop", rate(account.total_grams(), facts.flops)},
      {"tokens_per_kwh", facility_kwh > 0 ? ordered_json(tokens / facility_kwh) : ordered_json()},
      {"has_lost_energy", facts.has_lost_energy},
      {"weights", run.weights},
      {"weights_sha256", run.weights_sha256},
      {"boundary", boundary_text(run)},
      {"method", method_text(run)},
      {"flops_method", flops_text()}};
  return document(json);
}

}  // namespace lmtrain

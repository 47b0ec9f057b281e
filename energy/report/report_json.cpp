#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "energy/ledger/ledger_json.h"
#include "energy/report/account.h"
#include "energy/report/report.h"

namespace lmtrain {
namespace {

using nlohmann::ordered_json;

ordered_json kwh_json(const EnergyRange& energy) {
  return {{"value", kwh(energy.joules)}, {"low", kwh(energy.low)}, {"high", kwh(energy.high)}};
}

ordered_json kg_json(const EmissionsRange& emissions) {
  return {{"value", emissions.grams / 1000.0},
          {"low", emissions.low / 1000.0},
          {"high", emissions.high / 1000.0}};
}

ordered_json grid_json(const GridIntensity& grid) {
  ordered_json value = {{"g_co2e_per_kwh", grid.g_per_kwh}, {"name", grid.name}};
  if (grid.year != 0) {
    value["code"] = grid.code;
    value["year"] = grid.year;
    if (is_national(grid)) value["licence"] = "CC BY 4.0";
    if (grid.is_direct) value["scope"] = "direct";
  }
  value["source"] = grid.source;
  return value;
}

// Of all attempts together: where they differ, the means that give the same energy and emissions.
void add_price(ordered_json& json, const EmissionsReport& report) {
  if (const EnergyPrice* price = report.one_price()) {
    json["pue"] = price->pue;
    json["grid"] = grid_json(price->grid);
    return;
  }
  const double facility = report.cost.facility.joules;
  if (report.energy.joules <= 0.0) return;
  json["pue"] = facility / report.energy.joules;
  json["grid"] = {{"g_co2e_per_kwh", report.cost.emissions.grams / kwh(facility)},
                  {"name", "mean over the attempts, whose prices differ"},
                  {"source", "attempts"}};
}

ordered_json shared_nodes_json(const EmissionsReport& report) {
  ordered_json list = ordered_json::array();
  for (const SharedNode& node : report.shared_nodes) {
    list.push_back({{"attempt", node.attempt},
                    {"host", node.host},
                    {"cpu_share", node.share.cpu},
                    {"memory_share", node.share.memory},
                    {"node_kwh", kwh(node.node_joules)},
                    {"kwh", kwh(node.joules)}});
  }
  return list;
}

ordered_json devices_json(const EmissionsReport& report) {
  ordered_json list = ordered_json::array();
  for (const DeviceEnergy& device : report.devices) {
    list.push_back({{"host", device.host},
                    {"sensor", device.sensor.key},
                    {"label", device.sensor.label},
                    {"kind", device_kind_name(device.sensor.kind)},
                    {"quality", quality_name(device.sensor.quality)},
                    {"kwh", kwh_json(device.energy)},
                    {"seconds", device.seconds},
                    {"covered_seconds", device.covered_seconds},
                    {"missing_kwh_estimate", kwh(device.missing_joules)},
                    {"missing_readings", device.missing_readings},
                    {"missing_reason", device.missing_reason},
                    {"doubt", device.doubt}});
  }
  return list;
}

ordered_json attempts_json(const EmissionsReport& report) {
  ordered_json list = ordered_json::array();
  for (const AttemptEnergy& attempt : report.attempts) {
    list.push_back(
        {{"attempt", attempt.attempt},
         {"ranks", attempt.num_ranks},
         {"started_unix_seconds", attempt.wall_seconds},
         {"seconds", attempt.seconds},
         {"first_step", attempt.has_computed ? ordered_json(attempt.first_step) : ordered_json()},
         {"last_step", attempt.has_computed ? ordered_json(attempt.last_step) : ordered_json()},
         {"ended_in_order", attempt.stopped},
         {"kwh", kwh_json(attempt.energy)},
         {"pue", attempt.price.pue},
         {"g_co2e_per_kwh", attempt.price.grid.g_per_kwh},
         {"kg_co2e", attempt.energy.joules * attempt.price.grams_per_joule() / 1000.0},
         {"wasted_kwh", kwh(attempt.wasted_joules)},
         {"wasted_seconds", attempt.wasted_seconds},
         {"job", attempt.job ? ordered_json(job_to_json(*attempt.job)) : ordered_json()}});
  }
  return list;
}

ordered_json phases_json(const EmissionsReport& report) {
  ordered_json object = ordered_json::object();
  for (int i = 0; i < kNumPhases; ++i) {
    const PhaseEnergy& phase = report.phases[static_cast<size_t>(i)];
    object[std::string(phase_name(static_cast<Phase>(i)))] = {{"kwh", kwh(phase.joules)},
                                                              {"seconds", phase.seconds}};
  }
  return object;
}

}  // namespace

ordered_json emissions_json(const EmissionsReport& report, const RunFacts& facts) {
  ordered_json json = {{"format", "lmtrain-emissions-1"},
                       {"run", facts.name},
                       {"seconds", report.seconds},
                       {"energy_kwh", kwh_json(report.energy)},
                       {"shares",
                        {{"measured", report.measured_share},
                         {"modelled", report.modelled_share},
                         {"missing", report.missing_share}}},
                       {"doubts", report.doubts}};
  add_price(json, report);
  json["facility_kwh"] = kwh_json(report.cost.facility);
  json["emissions_kg_co2e"] = kg_json(location_based(report));
  if (report.original_cost) {
    json["before_repricing"] = {{"facility_kwh", kwh_json(report.original_cost->facility)},
                                {"emissions_kg_co2e", kg_json(location_based_before(report))}};
  }
  if (report.money > 0) json["cost"] = {{"value", report.money}, {"currency", report.currency}};
  for (const BudgetUse& use : report.budget) {
    json["budget"].push_back(
        {{"key", use.key}, {"limit", use.limit}, {"spent", use.spent}, {"unit", use.unit}});
  }
  json["wasted_kwh"] = kwh(report.wasted_joules());
  for (const BatchEnergy& job : report.batch) {
    json["batch_system"].push_back({{"job", job.job},
                                    {"kwh", kwh(job.system_joules)},
                                    {"lmtrain_kwh", kwh(job.joules)},
                                    {"attempts", job.attempts}});
  }
  if (report.plan) {
    json["plan"] = ordered_json::parse(to_json(report.plan->plan));
    for (const FactorCompared& factor : report.plan->factors) {
      json["plan"]["factors"].push_back({{"name", factor.name},
                                         {"planned", factor.planned},
                                         {"actual", factor.actual},
                                         {"unit", factor.unit}});
    }
  }
  const RunUse use = report.use();
  for (const auto& part : use.parts()) {
    json["time_seconds"][part.key] = part.use->seconds;
    json["kwh_by_use"][part.key] = kwh(part.use->joules);
  }
  if (facts.inherited) {
    json["inherited"] = {{"checkpoint", facts.inherited->checkpoint},
                         {"steps", facts.inherited->steps},
                         {"tokens", facts.inherited->tokens},
                         {"energy_kwh", kwh(facts.inherited->joules)}};
  }
  if (facts.tokens > 0) {
    const auto tokens = static_cast<double>(facts.tokens);
    json["tokens"] = facts.tokens;
    if (!facts.has_lost_energy) {
      json["joules_per_token"] = report.energy.joules / tokens;
      json["g_co2e_per_million_tokens"] = report.cost.emissions.grams / (tokens * 1e-6);
    }
  }
  if (facts.flops > 0.0 && report.energy.joules > 0.0 && !facts.has_lost_energy) {
    json["flops_per_joule"] = facts.flops / report.energy.joules;
  }
  json["shared_nodes"] = shared_nodes_json(report);
  json["devices"] = devices_json(report);
  json["nodes"] = ordered_json::array();
  for (const NodeEnergy& node : report.nodes) {
    json["nodes"].push_back({{"host", node.host}, {"kwh", kwh_json(node.energy)}});
  }
  json["ranks"] = ordered_json::array();
  for (const RankEnergy& rank : report.ranks) {
    json["ranks"].push_back(
        {{"rank", rank.rank}, {"cpu_seconds", rank.cpu_seconds}, {"kwh", kwh_json(rank.energy)}});
  }
  json["phases"] = phases_json(report);
  json["attempts"] = attempts_json(report);
  json["meter_cpu_seconds"] = report.meter_seconds;
  json["remarks"] = report.remarks;
  return json;
}

void write_emissions_json(const std::filesystem::path& path, const EmissionsReport& report,
                          const RunFacts& facts) {
  write_file_durably(
      path,
      emissions_json(report, facts).dump(2, ' ', false, ordered_json::error_handler_t::replace) +
          "\n");
}

}  // namespace lmtrain

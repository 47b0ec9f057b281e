#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "energy/report.h"

namespace lmtrain {
namespace {

using nlohmann::ordered_json;

ordered_json kwh_json(const EnergyRange& energy, double factor = 1.0) {
  return {{"value", kwh(energy.joules) * factor},
          {"low", kwh(energy.low) * factor},
          {"high", kwh(energy.high) * factor}};
}

ordered_json grid_json(const GridIntensity& grid) {
  ordered_json value = {{"g_co2e_per_kwh", grid.g_per_kwh}, {"name", grid.name}};
  if (grid.year != 0) {
    value["code"] = grid.code;
    value["year"] = grid.year;
    value["licence"] = "CC BY 4.0";
  }
  value["source"] = grid.source;
  return value;
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
                    {"missing_reason", device.missing_reason}});
  }
  return list;
}

ordered_json attempts_json(const EmissionsReport& report) {
  ordered_json list = ordered_json::array();
  for (const AttemptEnergy& attempt : report.attempts) {
    list.push_back({{"attempt", attempt.attempt},
                    {"ranks", attempt.num_ranks},
                    {"started_unix_seconds", attempt.wall_seconds},
                    {"seconds", attempt.seconds},
                    {"first_step", attempt.first_step},
                    {"last_step", attempt.last_step},
                    {"ended_in_order", attempt.stopped},
                    {"kwh", kwh_json(attempt.energy)},
                    {"wasted_kwh", kwh(attempt.wasted_joules)}});
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

ordered_json report_json(const EmissionsReport& report, const RunFacts& facts) {
  const double grams_per_kwh = report.pue * report.grid.g_per_kwh;
  ordered_json json = {
      {"format", "lmtrain-emissions-1"},
      {"run", facts.name},
      {"seconds", report.seconds},
      {"energy_kwh", kwh_json(report.energy)},
      {"shares",
       {{"measured", report.measured_share},
        {"modelled", report.modelled_share},
        {"missing", report.missing_share}}},
      {"pue", report.pue},
      {"facility_kwh", kwh_json(report.energy, report.pue)},
      {"grid", grid_json(report.grid)},
      {"emissions_kg_co2e", kwh_json(report.energy, grams_per_kwh / 1000.0)},
      {"wasted_kwh", kwh(report.wasted_joules())},
  };
  if (facts.inherited) {
    json["inherited"] = {{"checkpoint", facts.inherited->checkpoint},
                         {"steps", facts.inherited->steps},
                         {"tokens", facts.inherited->tokens},
                         {"energy_kwh", kwh(facts.inherited->joules)}};
  }
  if (facts.tokens > 0) {
    const auto tokens = static_cast<double>(facts.tokens);
    json["tokens"] = facts.tokens;
    json["joules_per_token"] = report.energy.joules / tokens;
    json["g_co2e_per_million_tokens"] = report.emissions_kg() * 1000.0 / (tokens * 1e-6);
  }
  if (facts.flops > 0.0 && report.energy.joules > 0.0) {
    json["flops_per_joule"] = facts.flops / report.energy.joules;
  }
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

}  // namespace

void write_emissions_json(const std::filesystem::path& path, const EmissionsReport& report,
                          const RunFacts& facts) {
  write_file_durably(
      path, report_json(report, facts).dump(2, ' ', false, ordered_json::error_handler_t::replace) +
                "\n");
}

}  // namespace lmtrain

#include "energy/ledger/ledger_json.h"
#include "energy/ledger/totals.h"

namespace lmtrain {
namespace {

using nlohmann::json;

json sensor_totals_to_json(const SensorTotals& sensor) {
  json value = sensor_to_json(sensor.info);
  value["joules"] = {sensor.energy.joules, sensor.energy.low, sensor.energy.high};
  value["covered_seconds"] = sensor.covered_seconds;
  value["missing_readings"] = sensor.missing_readings;
  value["missing_reason"] = sensor.missing_reason;
  value["doubt"] = sensor.doubt;
  return value;
}

SensorTotals sensor_totals_from_json(const json& value) {
  const json& joules = array_field(value, "joules");
  if (joules.size() != 3) throw DataError("\"joules\" needs three numbers");
  return {sensor_from_json(value),
          {json_number(joules[0], "joules"), json_number(joules[1], "joules"),
           json_number(joules[2], "joules")},
          number_field(value, "covered_seconds"),
          integer_field(value, "missing_readings"),
          text_field(value, "missing_reason"),
          text_field(value, "doubt")};
}

json series_to_json(const EnergySeries& series) {
  json points = json::array();
  for (const EnergySeries::Point& point : series.points()) {
    json row = {point.seconds, point.step};
    for (const double joules : point.joules) row.push_back(joules);
    points.push_back(std::move(row));
  }
  return points;
}

EnergySeries series_from_json(const json& points) {
  EnergySeries series;
  for (const json& row : points) {
    if (!row.is_array() || row.size() != 2 + kNumDeviceKinds || !row[1].is_number_integer()) {
      throw DataError("a point of \"series\" is not a time, a step and energies");
    }
    EnergySeries::Point point{json_number(row[0], "series"), row[1].get<int64_t>(), {}};
    for (size_t i = 0; i < point.joules.size(); ++i) {
      point.joules[i] = json_number(row[2 + i], "series");
    }
    series.add(point);
  }
  return series;
}

json timed_to_json(const TimedEnergy& timed) {
  return {{"joules", timed.joules}, {"joule_grams", timed.joule_grams}};
}

json one_to_json(const EnergyTotals& totals) {
  json sensors = json::array();
  for (const SensorTotals& sensor : totals.sensors)
    sensors.push_back(sensor_totals_to_json(sensor));
  return {{"start", start_to_json(totals.start)},
          {"stopped", totals.stopped},
          {"seconds", totals.seconds},
          {"cpu_seconds", totals.cpu_seconds},
          {"meter_seconds", totals.meter_seconds},
          {"memory_byte_seconds", totals.memory_byte_seconds},
          {"node_busy_cpu_seconds", totals.node_busy_cpu_seconds},
          {"node_memory_byte_seconds", totals.node_memory_byte_seconds},
          {"last_step", totals.last_step},
          {"lost_lines", totals.lost_lines},
          {"sensors", std::move(sensors)},
          {"phase_seconds", totals.phase_seconds},
          {"phase_joules", totals.phase_joules},
          {"series", series_to_json(totals.series)},
          {"timed", timed_to_json(totals.timed)},
          {"timed_otherwise", timed_to_json(totals.timed_otherwise)}};
}

template <size_t kCount>
std::array<double, kCount> numbers_from_json(const json& list, const char* key) {
  if (!list.is_array() || list.size() != kCount)
    throw DataError(cat("\"", key, "\" has another number of elements than ", kCount));
  std::array<double, kCount> result{};
  for (size_t i = 0; i < kCount; ++i) result[i] = json_number(list[i], key);
  return result;
}

TimedEnergy timed_from_json(const json& value) {
  return {numbers_from_json<kNumDeviceKinds>(json_field(value, "joules"), "joules"),
          numbers_from_json<kNumDeviceKinds>(json_field(value, "joule_grams"), "joule_grams")};
}

EnergyTotals one_from_json(const json& value) {
  EnergyTotals totals(start_from_json(json_field(value, "start")));
  totals.stopped = boolean_field(value, "stopped");
  totals.seconds = number_field(value, "seconds");
  totals.cpu_seconds = number_field(value, "cpu_seconds");
  totals.meter_seconds = number_field(value, "meter_seconds");
  totals.memory_byte_seconds = number_field(value, "memory_byte_seconds");
  totals.node_busy_cpu_seconds = number_field(value, "node_busy_cpu_seconds");
  totals.node_memory_byte_seconds = number_field(value, "node_memory_byte_seconds");
  totals.last_step = integer_field(value, "last_step");
  totals.lost_lines = integer_field(value, "lost_lines");
  totals.sensors.clear();
  for (const json& sensor : array_field(value, "sensors")) {
    totals.sensors.push_back(sensor_totals_from_json(sensor));
  }
  totals.phase_seconds =
      numbers_from_json<kNumPhases>(json_field(value, "phase_seconds"), "phase_seconds");
  const json& phases = array_field(value, "phase_joules");
  for (size_t i = 0; i < kNumPhases; ++i) {
    if (i >= phases.size()) throw DataError("\"phase_joules\" lacks a phase");
    totals.phase_joules[i] = numbers_from_json<kNumDeviceKinds>(phases[i], "phase_joules");
  }
  totals.series = series_from_json(array_field(value, "series"));
  totals.timed = timed_from_json(json_field(value, "timed"));
  totals.timed_otherwise = timed_from_json(json_field(value, "timed_otherwise"));
  return totals;
}

}  // namespace

std::string to_json(const std::vector<EnergyTotals>& totals) {
  json list = json::array();
  for (const EnergyTotals& one : totals) list.push_back(one_to_json(one));
  return list.dump();
}

std::vector<EnergyTotals> parse_energy_totals(std::string_view text) {
  const json list = parse_json(text);
  if (!list.is_array()) throw DataError("the energy totals are not a JSON list");
  std::vector<EnergyTotals> totals;
  for (const json& value : list) totals.push_back(one_from_json(value));
  return totals;
}

}  // namespace lmtrain

// The JSON of what both ledgers and totals contain.
#pragma once

#include <array>
#include <string>

#include "energy/json_fields.h"
#include "energy/ledger/ledger.h"

namespace lmtrain {

inline nlohmann::json sensor_to_json(const MeterInfo& info) {
  nlohmann::json value = {{"key", info.key},
                          {"label", info.label},
                          {"kind", device_kind_name(info.kind)},
                          {"quality", quality_name(info.quality)}};
  if (info.stand_in_watts > 0.0) value["stand_in_watts"] = rounded(info.stand_in_watts, 3);
  return value;
}

inline MeterInfo sensor_from_json(const nlohmann::json& value) {
  return {text_field(value, "key"), text_field(value, "label"),
          parse_device_kind(text_field(value, "kind")), parse_quality(text_field(value, "quality")),
          value.contains("stand_in_watts") ? number_field(value, "stand_in_watts") : 0.0};
}

inline nlohmann::json job_to_json(const BatchJob& job) {
  return {{"system", job.system},       {"id", job.id},       {"restarts", job.restarts},
          {"num_nodes", job.num_nodes}, {"nodes", job.nodes}, {"cluster", job.cluster},
          {"partition", job.partition}};
}

inline BatchJob job_from_json(const nlohmann::json& value) {
  return {text_field(value, "system"),      text_field(value, "id"),
          integer_field(value, "restarts"), integer_field(value, "num_nodes"),
          text_field(value, "nodes"),       text_field(value, "cluster"),
          text_field(value, "partition"),   std::nullopt};
}

inline nlohmann::json start_to_json(const AttemptStart& start) {
  nlohmann::json sensors = nlohmann::json::array();
  for (const MeterInfo& info : start.sensors) sensors.push_back(sensor_to_json(info));
  nlohmann::json value = {{"attempt", start.attempt},
                          {"rank", start.place.rank},
                          {"num_ranks", start.place.num_ranks},
                          {"node", start.place.node},
                          {"local_rank", start.place.local_rank},
                          {"local_size", start.place.local_size},
                          {"host", start.place.host},
                          {"wall", rounded(start.wall_seconds, 3)},
                          {"first_step", start.first_step},
                          {"sensors", std::move(sensors)}};
  if (start.price) value["price"] = price_to_json(*start.price);
  if (start.job) value["job"] = job_to_json(*start.job);
  return value;
}

inline AttemptStart start_from_json(const nlohmann::json& value) {
  AttemptStart start;
  start.attempt = integer_field(value, "attempt");
  start.place = {integer_field(value, "rank"),
                 integer_field(value, "num_ranks"),
                 integer_field(value, "node"),
                 integer_field(value, "local_rank"),
                 text_field(value, "host"),
                 value.contains("local_size") ? integer_field(value, "local_size") : 1};
  if (start.attempt < 1 || start.place.local_size < 1) throw DataError("the start is impossible");
  start.wall_seconds = number_field(value, "wall");
  start.first_step = integer_field(value, "first_step");
  if (value.contains("price")) start.price = price_from_json(value["price"]);
  if (value.contains("job")) start.job = job_from_json(value["job"]);
  for (const auto& sensor : array_field(value, "sensors")) {
    start.sensors.push_back(sensor_from_json(sensor));
  }
  return start;
}

// One number for each phase, by name; those that are 0 are left out.
inline nlohmann::json phases_to_json(const std::array<double, kNumPhases>& values) {
  nlohmann::json object = nlohmann::json::object();
  for (int i = 0; i < kNumPhases; ++i) {
    const double value = values[static_cast<size_t>(i)];
    if (value != 0.0) object[std::string(phase_name(static_cast<Phase>(i)))] = rounded(value, 6);
  }
  return object;
}

inline std::array<double, kNumPhases> phases_from_json(const nlohmann::json& object) {
  std::array<double, kNumPhases> values{};
  size_t found = 0;
  for (int i = 0; i < kNumPhases; ++i) {
    const std::string name(phase_name(static_cast<Phase>(i)));
    if (!object.contains(name)) continue;
    values[static_cast<size_t>(i)] = number_field(object, name.c_str());
    ++found;
  }
  if (!object.is_object() || found != object.size())
    throw DataError("\"phase\" has a name that is not a phase");
  return values;
}

}  // namespace lmtrain

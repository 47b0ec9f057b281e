// Writes and parses the lines of the ledger.
#include <algorithm>

#include "energy/ledger/ledger.h"
#include "energy/ledger/ledger_json.h"

namespace lmtrain {
namespace {

using nlohmann::json;

// Decimals that are kept of seconds and joules.
constexpr int kDigits = 6;
constexpr double kRounding = 2e-6;
constexpr double kMostOfAReading = 1e12;

json to_json(const Reading& reading) {
  if (reading.is_missing()) return reading.missing;
  json value = {rounded(reading.seconds, kDigits), rounded(reading.joules, kDigits),
                rounded(reading.low, kDigits), rounded(reading.high, kDigits)};
  if (!reading.doubt.empty()) value.push_back(reading.doubt);
  return value;
}

Reading parse_reading(const json& value) {
  if (value.is_string() && !value.get_ref<const std::string&>().empty()) {
    return missing_reading(value.get<std::string>());
  }
  const bool has_doubt = value.is_array() && value.size() == 5 && value[4].is_string();
  if (!value.is_array() || (value.size() != 4 && !has_doubt))
    throw DataError("a reading needs four numbers");
  Reading reading{json_number(value[0], "read"), json_number(value[1], "read"),
                  json_number(value[2], "read"), json_number(value[3], "read"), ""};
  if (has_doubt) reading.doubt = value[4].get<std::string>();
  if (reading.joules < 0.0 || reading.seconds < 0.0 || reading.low < 0.0)
    throw DataError("a reading is negative");
  if (std::max(reading.joules, reading.seconds) > kMostOfAReading || reading.high > kMostOfAReading)
    throw DataError("a reading is more than any device draws");
  if (reading.low > reading.joules + kRounding || reading.joules > reading.high + kRounding)
    throw DataError("a reading lies outside its own ends");
  return reading;
}

json to_json(const EnergySample& sample) {
  json line = {{"t", rounded(sample.seconds, kDigits)},
               {"wall", rounded(sample.wall_seconds, 3)},
               {"cpu", rounded(sample.cpu_seconds, kDigits)},
               {"meter", rounded(sample.meter_seconds, kDigits)},
               {"memory", std::round(sample.memory_bytes)},
               {"step", sample.step},
               {"phase", phases_to_json(sample.phase_seconds)},
               {"read", json::array()}};
  if (sample.node) {
    line["node"] = {rounded(sample.node->busy_cpu_seconds, kDigits),
                    std::round(sample.node->memory_bytes)};
  }
  if (sample.grid_g_per_kwh) line["grid"] = rounded(*sample.grid_g_per_kwh, 3);
  for (const Reading& reading : sample.readings) line["read"].push_back(to_json(reading));
  return line;
}

EnergySample parse_sample(const json& line) {
  EnergySample sample;
  sample.seconds = number_field(line, "t");
  sample.wall_seconds = number_field(line, "wall");
  sample.cpu_seconds = number_field(line, "cpu");
  sample.meter_seconds = number_field(line, "meter");
  if (line.contains("memory")) sample.memory_bytes = number_field(line, "memory");
  if (line.contains("grid")) {
    sample.grid_g_per_kwh = number_field(line, "grid");
    if (*sample.grid_g_per_kwh < 0.0) throw DataError("the grid's intensity is below 0");
  }
  if (line.contains("node")) {
    const json& node = array_field(line, "node");
    if (node.size() != 2) throw DataError("\"node\" needs two numbers");
    sample.node = NodeUse{json_number(node[0], "node"), json_number(node[1], "node")};
  }
  sample.step = integer_field(line, "step");
  sample.phase_seconds = phases_from_json(json_field(line, "phase"));
  for (const json& value : array_field(line, "read"))
    sample.readings.push_back(parse_reading(value));
  const bool is_possible =
      sample.seconds >= 0.0 && sample.cpu_seconds >= 0.0 && sample.memory_bytes >= 0.0 &&
      (!sample.node ||
       (sample.node->busy_cpu_seconds >= 0.0 && sample.node->memory_bytes >= 0.0)) &&
      std::ranges::all_of(sample.phase_seconds, [](double seconds) { return seconds >= 0.0; });
  if (!is_possible) throw DataError("a sample has a time or a use below 0");
  return sample;
}

struct RecordToJson {
  json operator()(const AttemptStart& start) const { return start_to_json(start); }
  json operator()(const EnergySample& sample) const { return to_json(sample); }
  json operator()(const AttemptStop& stop) const {
    return {{"stop", rounded(stop.seconds, kDigits)}};
  }
  json operator()(const LedgerMend& mend) const { return {{"mended", mend.lost_lines}}; }
};

}  // namespace

std::string to_line(const LedgerRecord& record) {
  return std::visit(RecordToJson{}, record).dump();
}

LedgerRecord parse_ledger_line(std::string_view text) {
  const json line = parse_json(text);
  if (!line.is_object()) throw DataError("not a JSON object");
  if (line.contains("t")) return parse_sample(line);
  if (line.contains("attempt")) return start_from_json(line);
  if (line.contains("stop")) return AttemptStop{number_field(line, "stop")};
  if (line.contains("mended")) return LedgerMend{integer_field(line, "mended")};
  throw DataError("not a record of an energy ledger");
}

}  // namespace lmtrain

#include "energy/audit/published_run.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <functional>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "base/yaml_reader.h"
#include "energy/accelerators.h"

namespace lmtrain {
namespace {

using nlohmann::json;

constexpr int64_t kMostBytes = int64_t{64} << 20;
constexpr int kMaxDepth = 32;

// Lower case, with one underscore for whatever is no letter and no digit: "GPU hours" is gpu_hours.
std::string key_of(std::string_view text) {
  std::string key;
  for (const char letter : in_lower_case(text)) {
    if (std::isalnum(static_cast<unsigned char>(letter)) != 0) {
      key += letter;
    } else if (!key.empty() && key.back() != '_') {
      key += '_';
    }
  }
  while (key.ends_with('_')) key.pop_back();
  return key;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpaces = " \t\r\n*`";
  const size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return "";
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

// Whether commas stand between groups of three digits only: "45,2" is a European 45.2.
bool has_commas_of_thousands(std::string_view text) {
  const std::string_view whole = text.substr(0, text.find('.'));
  size_t comma = whole.find(',');
  if (comma == std::string_view::npos) return text.find(',') == std::string_view::npos;
  if (comma == 0 || comma > 3) return false;
  for (; comma < whole.size(); comma += 4) {
    if (whole[comma] != ',' || comma + 4 > whole.size()) return false;
    const std::string_view group = whole.substr(comma + 1, 3);
    if (group.find_first_not_of("0123456789") != std::string_view::npos) return false;
  }
  return text.find(',', whole.size()) == std::string_view::npos;
}

// "1,082,990", "7.0M", "2.0T".
std::optional<double> quantity(std::string_view text) {
  text = trimmed(text);
  double factor = 1;
  if (!text.empty()) {
    constexpr std::array<std::pair<char, double>, 5> kSuffixes = {
        {{'k', 1e3}, {'K', 1e3}, {'M', 1e6}, {'B', 1e9}, {'T', 1e12}}};
    for (const auto& [letter, value] : kSuffixes) {
      if (text.back() == letter) factor = value;
    }
    if (factor != 1) text = trimmed(text.substr(0, text.size() - 1));
  }
  if (!has_commas_of_thousands(text)) return std::nullopt;
  std::string digits(text);
  std::erase(digits, ',');
  const std::optional<double> value = parse_number(digits);
  if (!value || !std::isfinite(*value * factor)) return std::nullopt;
  return *value * factor;
}

// A cell that says that there is no number.
bool is_blank(std::string_view text) {
  const std::string word = in_lower_case(trimmed(text));
  constexpr std::array<std::string_view, 9> kBlank = {"",   "-",    "–",       "—",   "n/a",
                                                      "na", "none", "unknown", "null"};
  return std::ranges::find(kBlank, word) != kBlank.end();
}

struct Field {
  std::vector<std::string_view> names;  // key_of the column or key
  std::optional<double> PublishedRun::*number;
  double factor = 1;
};

const std::vector<Field>& fields() {
  using Run = PublishedRun;
  static const std::vector<Field> all = {
      {{"params_b", "parameters_b"}, &Run::parameters, 1e9},
      {{"parameters", "params", "num_parameters"}, &Run::parameters},
      {{"active_params_b"}, &Run::active_parameters, 1e9},
      {{"active_parameters", "active_params"}, &Run::active_parameters},
      {{"tokens_b"}, &Run::tokens, 1e9},
      {{"tokens", "token_count", "training_tokens"}, &Run::tokens},
      {{"total_zettaflops", "zettaflops", "zettaflop"}, &Run::flops, 1e21},
      {{"flops", "flop", "total_flops", "training_flops"}, &Run::flops},
      {{"petaflop_s_days", "petaflops_days", "pf_days"}, &Run::flops, 1e15 * 86400},
      {{"count", "devices", "gpus", "gpu_count", "num_gpus", "accelerators", "chips"},
       &Run::devices},
      {{"wall_days", "days"}, &Run::days},
      {{"wall_hours", "hours"}, &Run::days, 1.0 / 24},
      {{"gpu_hours", "device_hours", "accelerator_hours", "chip_hours", "training_time_gpu_hours"},
       &Run::device_hours},
      {{"pue"}, &Run::pue},
      {{"gco2_per_kwh", "gco2e_per_kwh", "g_per_kwh", "g_co2e_per_kwh", "carbon_intensity"},
       &Run::g_per_kwh},
      {{"kwh", "kwh_reported", "energy_kwh", "energy_consumed"}, &Run::kwh},
      {{"mwh", "energy_mwh"}, &Run::kwh, 1e3},
      {{"gwh", "energy_gwh"}, &Run::kwh, 1e6},
      {{"tco2e", "tco2e_reported", "tco2", "tco2eq", "t_co2e", "co2_t", "co2e_t", "emissions_t",
        "emissions_tco2e", "emissions_tco2eq", "emissions_t_co2e"},
       &Run::kg_co2e,
       1e3},
      {{"kgco2e", "kg_co2e", "kgco2eq", "kg_co2", "co2_kg", "co2e_kg", "emissions_kg",
        "emissions_kgco2e", "emissions_kgco2eq", "emissions_kg_co2e"},
       &Run::kg_co2e},
      {{"gco2e", "g_co2e", "gco2eq", "g_co2", "co2_g", "co2e_g", "emissions_g", "emissions_gco2e",
        "emissions_gco2eq", "emissions_g_co2e"},
       &Run::kg_co2e,
       1e-3},
  };
  return all;
}

constexpr std::array<std::string_view, 5> kNameKeys = {"model", "name", "run", "project_name",
                                                       "model_name"};
constexpr std::array<std::string_view, 5> kHardwareKeys = {"hardware", "accelerator", "gpu_model",
                                                           "gpu", "device"};
constexpr std::array<std::string_view, 5> kWattKeys = {
    "avg_w_per_device", "watts_per_device", "watts", "power_w", "training_power_consumption_w"};

template <size_t N>
bool is_one_of(std::string_view key, const std::array<std::string_view, N>& keys) {
  return std::ranges::find(keys, key) != keys.end();
}

const Field* field_of(std::string_view key) {
  const auto at = std::ranges::find_if(fields(), [&](const Field& field) {
    return std::ranges::find(field.names, key) != field.names.end();
  });
  return at == fields().end() ? nullptr : &*at;
}

bool is_known(std::string_view key) {
  return field_of(key) != nullptr || is_one_of(key, kNameKeys) || is_one_of(key, kHardwareKeys) ||
         is_one_of(key, kWattKeys) || key == "boundary";
}

// Without what would move the cursor of a terminal or break a table.
std::string printable(std::string_view text) {
  std::string result(text);
  std::ranges::replace_if(
      result,
      [](char letter) { return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f; }, ' ');
  return result;
}

// "400", "400 W", or "350-400".
void set_watts(PublishedRun& run, std::string_view text) {
  if (text.ends_with('W')) text = trimmed(text.substr(0, text.size() - 1));
  size_t dash = text.find('-', 1);
  size_t width = 1;
  if (const size_t en_dash = text.find("–"); en_dash != std::string_view::npos) {
    dash = en_dash;
    width = std::string_view("–").size();
  }
  run.least_watts = quantity(text.substr(0, dash));
  run.most_watts =
      dash == std::string_view::npos ? run.least_watts : quantity(text.substr(dash + width));
  if (!run.least_watts || !run.most_watts || *run.least_watts > *run.most_watts)
    throw DataError(cat(run.place, ": the watts '", trimmed(text),
                        "' are no number and no range such as 350-400"));
}

// Takes what stands at `key`. Returns whether it is a thing that audit knows.
bool set(PublishedRun& run, const std::string& key, std::string_view text) {
  if (!is_known(key)) return false;
  if (is_blank(text)) return true;
  if (is_one_of(key, kNameKeys)) {
    run.name = printable(trimmed(text));
  } else if (is_one_of(key, kHardwareKeys)) {
    run.hardware = printable(trimmed(text));
  } else if (is_one_of(key, kWattKeys)) {
    set_watts(run, trimmed(text));
  } else if (key == "boundary") {
    run.boundary = printable(trimmed(text));
  } else {
    const Field& field = *field_of(key);
    const std::optional<double> value = quantity(text);
    // Cards fold the PUE into the watts or the emissions, and do not say how large it is.
    const bool is_folded = key == "pue" && text.find("folded") != std::string_view::npos;
    if (!value && !is_folded)
      throw DataError(cat(run.place, ": ", key, ": '", trimmed(text), "' is not a number"));
    if (!value) return true;
    std::optional<double>& number = run.*field.number;
    const double stated = *value * field.factor;
    if (!std::isfinite(stated))
      throw DataError(cat(run.place, ": ", key, ": '", trimmed(text), "' is too large"));
    if (number && std::abs(*number - stated) > 1e-6 * std::abs(stated)) {
      throw DataError(cat(run.place, ": ", key, " says ", shortest(stated),
                          ", another column or key ", shortest(*number), " for the same"));
    }
    number = stated;
  }
  return true;
}

[[noreturn]] void fail_nothing_known(const std::string& origin,
                                     const std::vector<std::string>& there) {
  throw DataError(
      cat(origin, ": nothing of a run's energy stands in it (there are: ", join(there, ", "),
          "); audit knows names such as model, hardware, gpu_hours, watts, pue, gco2_per_kwh, kwh, "
          "tco2e, tokens, flops"));
}

bool says_something(const PublishedRun& run) {
  return run.kwh || run.kg_co2e || run.device_hours || run.devices || run.least_watts || run.flops;
}

// CodeCarbon's emissions.csv: kg, kWh, seconds.
bool is_of_codecarbon(const CsvTable& table) {
  const auto has = [&](const char* name) {
    return std::ranges::find(table.columns, name) != table.columns.end();
  };
  return has("energy_consumed") && has("emissions") && has("emissions_rate") && has("cpu_energy");
}

PublishedRun codecarbon_run(const CsvTable& table, const CsvRow& row, const std::string& place) {
  PublishedRun run;
  run.place = place;
  const auto cell = [&](const char* name) -> std::string {
    const auto at = std::ranges::find(table.columns, name);
    return at == table.columns.end() ? ""
                                     : row.fields[static_cast<size_t>(at - table.columns.begin())];
  };
  const auto value = [&](const char* name) -> std::optional<double> {
    const std::string text = cell(name);
    if (is_blank(text)) return std::nullopt;
    const std::optional<double> parsed = parse_number(text);
    if (!parsed) throw DataError(cat(place, ": ", name, ": '", text, "' is not a number"));
    return parsed;
  };
  run.name = printable(cell("project_name"));
  run.hardware = cell("gpu_model");
  run.kwh = value("energy_consumed");
  run.kg_co2e = value("emissions");
  run.seconds = value("duration");
  run.kg_per_second = value("emissions_rate");
  run.pue = value("pue");
  for (const char* part : {"cpu_energy", "gpu_energy", "ram_energy"}) {
    if (const std::optional<double> kwh = value(part)) run.parts_kwh.push_back(*kwh);
  }
  return run;
}

std::vector<PublishedRun> runs_of_table(const std::string& text, const std::string& origin) {
  const std::string first_line = text.substr(0, text.find('\n'));
  char separator = ',';
  for (const char other : {'\t', ';'}) {
    if (first_line.find(',') == std::string::npos && first_line.find(other) != std::string::npos)
      separator = other;
  }
  const CsvTable table = parse_csv(text, origin, separator);
  const bool is_codecarbon = is_of_codecarbon(table);
  if (!is_codecarbon && std::ranges::none_of(table.columns, [](const std::string& column) {
        return field_of(key_of(column)) != nullptr;
      })) {
    fail_nothing_known(origin, table.columns);
  }
  std::vector<PublishedRun> runs;
  for (const CsvRow& row : table.rows) {
    const std::string place = cat(origin, ":", row.line);
    if (is_codecarbon) {
      runs.push_back(codecarbon_run(table, row, place));
      continue;
    }
    PublishedRun run;
    run.place = place;
    for (size_t i = 0; i < table.columns.size(); ++i) {
      if (!set(run, key_of(table.columns[i]), row.fields[i]) && !is_blank(row.fields[i]))
        run.unused.push_back(printable(table.columns[i]));
    }
    runs.push_back(std::move(run));
  }
  return runs;
}

// lmtrain's own emissions.json: the parts of the energy are its attempts.
PublishedRun run_of_report(const json& report, const std::string& origin) {
  PublishedRun run;
  run.place = origin;
  try {
    run.name = report.at("run").get<std::string>();
    run.kwh = report.at("facility_kwh").at("value").get<double>();
    run.computers_kwh = report.at("energy_kwh").at("value").get<double>();
    run.kg_co2e = report.at("emissions_kg_co2e").at("value").get<double>();
    const double pue = report.value("pue", 1.0);
    run.pue = pue;
    if (const auto grid = report.find("grid"); grid != report.end())
      run.g_per_kwh = grid->at("g_co2e_per_kwh").get<double>();
    for (const json& attempt : report.at("attempts")) {
      run.parts_kwh.push_back(attempt.at("kwh").at("value").get<double>() *
                              attempt.at("pue").get<double>());
      run.parts_kg.push_back(attempt.at("kg_co2e").get<double>());
    }
    if (const auto tokens = report.find("tokens"); tokens != report.end())
      run.tokens = tokens->get<double>();
    if (const auto rate = report.find("flops_per_joule"); rate != report.end())
      run.flops = rate->get<double>() * report.at("energy_kwh").at("value").get<double>() * 3.6e6;
  } catch (const json::exception& error) {
    throw DataError(cat(origin, ": it is no whole emissions.json of lmtrain: ", error.what()));
  }
  return run;
}

PublishedRun run_of_object(const json& object, const std::string& place) {
  PublishedRun run;
  run.place = place;
  std::vector<std::string> there;
  bool is_any_known = false;
  for (const auto& [key, value] : object.items()) {
    there.push_back(key);
    if (!value.is_primitive()) {
      run.unused.push_back(printable(key));
      continue;
    }
    const std::string text = value.is_string() ? value.get<std::string>()
                             : value.is_null() ? ""
                                               : value.dump();
    if (set(run, key_of(key), text)) {
      is_any_known = true;
    } else {
      run.unused.push_back(printable(key));
    }
  }
  if (!is_any_known) fail_nothing_known(place, there);
  return run;
}

std::vector<PublishedRun> runs_of_json(const std::string& text, const std::string& origin) {
  const json value = parse_strict_json(text, origin, kMaxDepth);
  if (value.is_object() && value.value("format", json()) == "lmtrain-emissions-1")
    return {run_of_report(value, origin)};
  if (value.is_object()) return {run_of_object(value, origin)};
  if (!value.is_array())
    throw DataError(cat(origin, ": an object or a list of objects is expected"));
  std::vector<PublishedRun> runs;
  for (size_t i = 0; i < value.size(); ++i) {
    const std::string place = cat(origin, ": run ", i + 1);
    if (!value[i].is_object()) throw DataError(cat(place, ": an object is expected"));
    runs.push_back(run_of_object(value[i], place));
  }
  return runs;
}

// Model cards.

bool has_digit(std::string_view text) {
  return text.find_first_of("0123456789") != std::string_view::npos;
}

std::vector<std::string> table_cells(std::string_view line) {
  line = trimmed(line);
  if (line.starts_with('|')) line.remove_prefix(1);
  if (line.ends_with('|')) line.remove_suffix(1);
  std::vector<std::string> cells;
  for (;;) {
    const size_t bar = line.find('|');
    cells.emplace_back(trimmed(line.substr(0, bar)));
    if (bar == std::string_view::npos) return cells;
    line.remove_prefix(bar + 1);
  }
}

bool is_table_rule(std::string_view line) {
  line = trimmed(line);
  return line.find('-') != std::string_view::npos && line.find('|') != std::string_view::npos &&
         line.find_first_not_of("|-: \t") == std::string_view::npos;
}

// What a column of a card's table holds, by its words; "" for what audit does not know.
std::string key_of_card_column(const std::string& title) {
  std::string words;  // without markup such as <br>
  bool in_tag = false;
  for (const char letter : in_lower_case(title)) {
    if (letter == '<') in_tag = true;
    words += in_tag ? ' ' : letter;
    if (letter == '>') in_tag = false;
  }
  const std::string key = key_of(words);
  if (field_of(key) != nullptr) return key;
  const auto has = [&](const char* word) { return words.find(word) != std::string::npos; };
  // Rates, other scales and contracts are not what audit counts with.
  for (const char* other : {"market", "per hour", "/h", "/s", "per second", "thousand", "million",
                            "per token", "per "}) {
    if (has(other)) return "";
  }
  const bool is_emission = has("co2") || has("emission") || has("carbon");
  if (has("/kwh")) return is_emission && !has("kg") && !has("mg") ? "gco2_per_kwh" : "";
  if (has("hours") && (has("gpu") || has("device") || has("chip") || has("tpu")))
    return "gpu_hours";
  if (has("power") && has("(w)")) return "watts";
  if (is_emission && (has("kgco2") || has("kg co2") || has("(kg") || has(", kg"))) return "kgco2e";
  if (is_emission && (has("ton") || has("tco2") || has("(t)") || has("(t ") || has("t co2")))
    return "tco2e";
  if (has("mwh")) return "mwh";
  if (has("kwh")) return "kwh";
  if (has("param")) return has("(b)") || has("billion") ? "params_b" : "parameters";
  if (has("token"))
    return has("(b)") || has("billion")    ? "tokens_b"
           : has("(t)") || has("trillion") ? ""
                                           : "tokens";
  return "";
}

// The one kind of accelerator that the lines on training or hours and the tables name, or "": a
// card may say what else the model runs on.
std::string hardware_of_training(std::string_view rest) {
  std::string lines;
  while (!rest.empty()) {
    const std::string line = in_lower_case(cut_line(rest));
    const auto has = [&](const char* word) { return line.find(word) != std::string::npos; };
    if (has("train") || has("hours") || has("|")) lines += line + "\n";
  }
  const Accelerator* const one = find_accelerator(lines);
  return one == nullptr ? "" : std::string(one->name);
}

// Hugging Face's metadata: co2_eq_emissions is grams, or has them with more.
void add_metadata(std::string_view yaml, const std::string& origin,
                  std::vector<PublishedRun>& runs) {
  YamlNode root;
  try {
    root = parse_yaml_mapping(yaml, {origin});
  } catch (const ConfigError& error) {
    throw DataError(error.what());
  }
  const auto child = [](const YamlNode& node, const char* key) -> const YamlNode* {
    for (size_t i = 0; i < node.keys.size(); ++i) {
      if (node.keys[i].text == key) return &node.items[i];
    }
    return nullptr;
  };
  const YamlNode* const emissions = child(root, "co2_eq_emissions");
  if (emissions == nullptr) return;
  PublishedRun run;
  run.place = cat(origin, ": co2_eq_emissions");
  const YamlNode* const grams =
      emissions->kind == YamlNode::Kind::kMapping ? child(*emissions, "emissions") : emissions;
  if (grams == nullptr || !quantity(grams->text))
    throw DataError(
        cat(run.place, ": the grams of CO2e are expected, in it or in its key 'emissions'"));
  set(run, "gco2e", grams->text);
  if (const YamlNode* const hardware = child(*emissions, "hardware_used"))
    run.hardware = hardware->text;
  runs.push_back(std::move(run));
}

std::vector<PublishedRun> runs_of_card(const std::string& text, const std::string& origin) {
  std::vector<PublishedRun> runs;
  std::string_view rest = text;
  if (rest.starts_with("---\n")) {
    const size_t end = rest.find("\n---", 3);
    if (end == std::string_view::npos)
      throw DataError(cat(origin, ": the metadata that begin with --- have no end"));
    const std::string_view metadata = rest.substr(4, end - 3);
    if (!trimmed(metadata).empty()) add_metadata(metadata, origin, runs);
  }
  const std::string hardware = hardware_of_training(text);
  std::vector<std::string> keys;  // of the table that is being read; empty outside one
  std::vector<std::string> last_cells;
  int64_t line_number = 0;
  while (!rest.empty()) {
    const std::string_view line = cut_line(rest);
    ++line_number;
    if (line.find('|') == std::string_view::npos) {
      keys.clear();
      last_cells.clear();
      continue;
    }
    if (is_table_rule(line)) {
      keys.clear();
      for (const std::string& title : last_cells) keys.push_back(key_of_card_column(title));
      continue;
    }
    const std::vector<std::string> cells = table_cells(line);
    if (!keys.empty()) {
      PublishedRun run;
      run.place = cat(origin, ":", line_number);
      run.hardware = hardware;
      for (size_t i = 0; i < std::min(cells.size(), keys.size()); ++i) {
        // Tables of a card hold much else.
        if (keys[i].empty() || is_blank(cells[i])) continue;
        if (quantity(cells[i]) || (keys[i] == "watts" && has_digit(cells[i])))
          set(run, keys[i], cells[i]);
      }
      if (keys[0].empty()) run.name = printable(cells[0]);
      if (run.kwh || run.kg_co2e || run.device_hours) runs.push_back(std::move(run));
    }
    last_cells = cells;
  }
  if (runs.empty()) {
    throw DataError(
        cat(origin,
            ": the card has neither co2_eq_emissions in its metadata nor a table of hours, energy "
            "or emissions"));
  }
  return runs;
}

}  // namespace

std::vector<PublishedRun> parse_published_runs(const std::string& given,
                                               const std::string& origin) {
  std::string text = given;
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  remove_windows_line_ends(text);
  const std::string ending = in_lower_case(std::filesystem::path(origin).extension().string());
  const size_t first = text.find_first_not_of(" \t\r\n");
  const char letter = first == std::string::npos ? ' ' : text[first];
  std::vector<PublishedRun> runs;
  if (ending == ".json" || (ending.empty() && (letter == '{' || letter == '['))) {
    runs = runs_of_json(text, origin);
  } else if (ending == ".md" || ending == ".markdown") {
    runs = runs_of_card(text, origin);
  } else if (ending == ".csv" || ending == ".tsv" || ending.empty()) {
    runs = runs_of_table(text, origin);
  } else {
    throw DataError(cat(origin, ": audit reads .csv, .tsv, .json and .md"));
  }
  std::erase_if(runs, [](const PublishedRun& run) { return !says_something(run); });
  if (runs.empty()) throw DataError(cat(origin, ": no run stands in it"));
  return runs;
}

std::vector<PublishedRun> read_published_runs(const std::filesystem::path& file) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    throw DataError(cat(file.string(), ": it is a folder, a device or a pipe; name a file"));
  return parse_published_runs(read_file(file, kMostBytes), file.string());
}

}  // namespace lmtrain

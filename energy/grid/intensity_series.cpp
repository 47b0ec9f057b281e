#include "energy/grid/intensity_series.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/clock.h"
#include "base/csv.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/median.h"
#include "base/text.h"
#include "base/yaml_reader.h"
#include "energy/json_fields.h"

namespace lmtrain {
namespace {

using nlohmann::json;
using Span = IntensitySeries::Span;

constexpr double kMostGramsPerKwh = 5000.0;
// Larger files hold something else: a year of minutes takes 100 MB as the longest of these forms.
constexpr int64_t kMostBytes = int64_t{256} << 20;

// What a file holds. A span whose end is 0 ends where the next begins.
struct Found {
  std::vector<Span> spans;
  std::vector<std::string> places;  // one a span
  std::string what;                 // "Electricity Maps, life cycle, zone DE"
};

double time_in(const std::string& text, const std::string& place) {
  if (const std::optional<double> time = parse_time(text)) return *time;
  throw DataError(cat(place, ": \"", one_line(text), "\" is not a time such as 2026-01-31T12:00Z"));
}

double grams_in(std::optional<double> value, const std::string& text, const std::string& place) {
  if (value && *value >= 0.0 && *value <= kMostGramsPerKwh) return *value;
  throw DataError(cat(place, ": \"", one_line(text), "\" is not an intensity from 0 to ",
                      shortest(kMostGramsPerKwh), " gCO2e/kWh"));
}

// "00:30:00" or a number of minutes, in seconds.
std::optional<double> parse_duration(std::string_view text) {
  if (const std::optional<double> minutes = parse_number(text)) return 60.0 * *minutes;
  double seconds = 0.0;
  int parts = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find(':'), text.size());
    const std::optional<double> part = parse_number(text.substr(0, end));
    if (!part || *part < 0.0) return std::nullopt;
    seconds = 60.0 * seconds + *part;
    text.remove_prefix(std::min(end + 1, text.size()));
    ++parts;
  }
  if (parts != 3) return std::nullopt;
  return seconds;
}

double duration_in(std::string_view text, const std::string& place) {
  const std::optional<double> seconds = parse_duration(text);
  if (seconds && *seconds > 0.0) return *seconds;
  throw DataError(cat(place, ": \"", one_line(text), "\" is not a duration such as 00:30:00"));
}

// Refuses rows of another zone than those before.
class OneZone {
 public:
  void note(const std::string& zone, const std::string& place) {
    if (zone_.empty()) zone_ = zone;
    if (zone != zone_)
      throw DataError(cat(place, ": this is of ", zone, ", the rows before are of ", zone_,
                          "; leave the rows of one zone in the file"));
  }
  std::string text() const { return zone_.empty() ? "" : cat(", ", zone_); }

 private:
  std::string zone_;
};

// The column whose name in small letters begins so and contains `part`.
std::optional<size_t> find_column(const CsvTable& table, std::string_view begin,
                                  std::string_view part = "") {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const std::string name = in_lower_case(table.columns[i]);
    if (name.starts_with(begin) && name.find(part) != std::string::npos) return i;
  }
  return std::nullopt;
}

Found read_table(std::string_view text, const std::string& origin) {
  const CsvTable table = parse_csv(text, origin);
  const auto of_maps = find_column(table, "datetime (utc)");
  const auto of_life_cycle = find_column(table, "carbon intensity", "life cycle");
  const auto of_lca = find_column(table, "carbon intensity", "(lca)");  // of earlier files
  const auto life_cycle = of_life_cycle ? of_life_cycle : of_lca;
  const auto direct = find_column(table, "carbon intensity", "direct");
  const auto time = of_maps ? of_maps : find_column(table, "time");
  const auto grams = life_cycle ? life_cycle : direct ? direct : find_column(table, "g_per_kwh");
  if (!time || !grams) {
    throw DataError(cat(origin, ":1: no columns \"Datetime (UTC)\" and \"Carbon intensity\", as ",
                        "Electricity Maps has them, and none named time and g_per_kwh"));
  }
  const auto zone = find_column(table, "zone id");
  const auto estimated = find_column(table, "data estimated");
  const auto duration = find_column(table, "duration");
  Found found;
  OneZone one_zone;
  for (const CsvRow& row : table.rows) {
    const std::string place = cat(origin, ":", row.line);
    const std::string& value = row.fields[*grams];
    if (zone) one_zone.note(cat("zone ", row.fields[*zone]), place);
    if (value.empty()) continue;  // not known
    Span span;
    span.begin = time_in(row.fields[*time], place);
    if (duration) span.end = span.begin + duration_in(row.fields[*duration], place);
    span.g_per_kwh = grams_in(parse_number(value), value, place);
    span.is_forecast = estimated && in_lower_case(row.fields[*estimated]) == "true";
    found.spans.push_back(span);
    found.places.push_back(place);
  }
  found.what = of_maps ? cat("Electricity Maps, ", life_cycle ? "life cycle" : "direct alone",
                             one_zone.text())
                       : "a table";
  return found;
}

// A field by its name in any case; null where there is none.
const json* field_in_any_case(const json& object, std::string_view name) {
  for (auto at = object.begin(); at != object.end(); ++at) {
    if (in_lower_case(at.key()) == name) return &at.value();
  }
  return nullptr;
}

std::string text_in_any_case(const json& object, std::string_view name, const std::string& place) {
  const json* const value = field_in_any_case(object, name);
  if (value == nullptr || !value->is_string())
    throw DataError(cat(place, ": \"", name, "\" is not a text"));
  return value->get<std::string>();
}

std::optional<double> number_or_null(const json* value) {
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->get<double>();
}

// [{"from": "2018-01-20T12:00Z", "to": ..., "intensity": {"forecast": 266, "actual": 263}}]
void read_operator_entry(const json& entry, const std::string& place, Found& found) {
  Span span;
  span.begin = time_in(text_in_any_case(entry, "from", place), place);
  span.end = time_in(text_in_any_case(entry, "to", place), place);
  if (span.end <= span.begin) throw DataError(cat(place, ": it ends before it begins"));
  const json& intensity = json_field(entry, "intensity");
  if (!intensity.is_object())
    throw DataError(cat(place, ": \"intensity\" has no forecast and actual values"));
  const auto actual = number_or_null(field_in_any_case(intensity, "actual"));
  const auto forecast = number_or_null(field_in_any_case(intensity, "forecast"));
  span.is_forecast = !actual;
  if (!actual && !forecast) return;  // not known
  span.g_per_kwh = grams_in(actual ? actual : forecast, intensity.dump(), place);
  found.spans.push_back(span);
  found.places.push_back(place);
}

// [{"Location": "eastus", "Time": "2022-08-06T11:45:00+00:00", "Rating": 73.3, "Duration":
// "00:05:00"}], in any case; forecasts write timestamp and value, and durations as minutes.
void read_sdk_entry(const json& entry, const std::string& place, OneZone& zone, Found& found) {
  const bool is_forecast = field_in_any_case(entry, "rating") == nullptr;
  const json* const value = field_in_any_case(entry, is_forecast ? "value" : "rating");
  const json* const duration = field_in_any_case(entry, "duration");
  if (value == nullptr || duration == nullptr)
    throw DataError(cat(place,
                        ": no \"Rating\" and \"Duration\", as the Carbon Aware SDK writes, "
                        "and no \"from\", \"to\" and \"intensity\""));
  if (const json* const location = field_in_any_case(entry, "location");
      location != nullptr && location->is_string())
    zone.note(cat("location ", location->get<std::string>()), place);
  Span span;
  span.begin = time_in(text_in_any_case(entry, is_forecast ? "timestamp" : "time", place), place);
  span.end =
      span.begin +
      duration_in(duration->is_string() ? duration->get<std::string>() : duration->dump(), place);
  span.g_per_kwh = grams_in(number_or_null(value), value->dump(), place);
  span.is_forecast = is_forecast;
  found.spans.push_back(span);
  found.places.push_back(place);
}

// The list of entries of a document: itself, or what stands under one of the names that services
// give to it, at any depth.
const json* entries_of(const json& value) {
  if (value.is_array()) {
    const bool is_wrapped = value.size() == 1 && value[0].is_object() &&
                            (value[0].contains("data") || value[0].contains("forecastData"));
    return is_wrapped ? entries_of(value[0]) : &value;
  }
  for (const char* name : {"data", "forecastData"}) {
    if (value.is_object() && value.contains(name)) return entries_of(value[name]);
  }
  return nullptr;
}

Found read_json(std::string_view text, const std::string& origin) {
  const json document = parse_json(text);
  const json* const entries = entries_of(document);
  if (entries == nullptr) throw DataError("no list of intensities");
  Found found;
  OneZone zone;
  bool is_of_operator = false;
  for (size_t i = 0; i < entries->size(); ++i) {
    const json& entry = (*entries)[i];
    const std::string place = cat(origin, ": entry ", i + 1);
    if (!entry.is_object()) throw DataError(cat(place, " is not an object"));
    is_of_operator = entry.contains("from");
    if (is_of_operator)
      read_operator_entry(entry, place, found);
    else
      read_sdk_entry(entry, place, zone, found);
  }
  found.what = is_of_operator ? "Carbon Intensity API of Great Britain"
                              : cat("Carbon Aware SDK", zone.text());
  return found;
}

// In order of time, each with its end.
std::vector<Span> in_order(const Found& found) {
  std::vector<std::pair<Span, const std::string*>> sorted;
  for (size_t i = 0; i < found.spans.size(); ++i)
    sorted.emplace_back(found.spans[i], &found.places[i]);
  std::ranges::stable_sort(sorted, {}, [](const auto& one) { return one.first.begin; });
  std::vector<double> steps;
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i].first.begin > sorted[i - 1].first.begin)
      steps.push_back(sorted[i].first.begin - sorted[i - 1].first.begin);
  }
  const double usual = steps.empty() ? 3600.0 : median(steps);
  std::vector<Span> spans;
  for (size_t i = 0; i < sorted.size(); ++i) {
    Span span = sorted[i].first;
    if (span.end == 0.0) {
      span.end = span.begin + usual;
      const auto next =
          std::find_if(sorted.begin() + static_cast<std::ptrdiff_t>(i), sorted.end(),
                       [&](const auto& later) { return later.first.begin > span.begin; });
      if (next != sorted.end()) span.end = std::min(span.end, next->first.begin);
    }
    if (!spans.empty() && span.begin < spans.back().end) {
      const Span& before = spans.back();
      const bool is_repeated = span.begin == before.begin && span.g_per_kwh == before.g_per_kwh;
      if (is_repeated) continue;
      throw DataError(cat(*sorted[i].second, ": the time of ", utc_text(span.begin),
                          " has another intensity already"));
    }
    if (span.end > span.begin) spans.push_back(span);
  }
  return spans;
}

}  // namespace

IntensitySeries IntensitySeries::load(const std::filesystem::path& file) {
  return parse(read_file(file, kMostBytes), file.string());
}

IntensitySeries IntensitySeries::parse(std::string_view text, const std::string& origin) {
  const size_t begin = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  const bool is_json =
      begin != std::string_view::npos && (text[begin] == '[' || text[begin] == '{');
  Found found;
  try {
    found = is_json ? read_json(text.substr(begin), origin) : read_table(text, origin);
  } catch (const DataError& error) {
    if (std::string_view(error.what()).starts_with(origin)) throw;
    throw DataError(cat(origin, ": ", error.what()));
  }
  IntensitySeries series;
  series.spans_ = in_order(found);
  if (series.spans_.empty()) throw DataError(cat(origin, ": it holds no intensity"));
  series.source_ = cat(found.what, ", ", origin);
  return series;
}

const IntensitySeries::Span* IntensitySeries::span_at(double time) const {
  const auto after = std::ranges::upper_bound(spans_, time, {}, &Span::begin);
  if (after == spans_.begin()) return nullptr;
  const Span& span = *std::prev(after);
  return time < span.end ? &span : nullptr;
}

std::optional<double> IntensitySeries::at(double time) const {
  const Span* const span = span_at(time);
  if (span == nullptr) return std::nullopt;
  return span->g_per_kwh;
}

std::optional<double> IntensitySeries::mean(double begin, double end) const {
  if (end <= begin) return at(begin);
  double sum = 0.0;
  for (double time = begin; time < end;) {
    const Span* const span = span_at(time);
    if (span == nullptr) return std::nullopt;
    const double until = std::min(end, span->end);
    sum += span->g_per_kwh * (until - time);
    time = until;
  }
  return sum / (end - begin);
}

}  // namespace lmtrain

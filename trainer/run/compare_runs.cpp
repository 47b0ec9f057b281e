#include "trainer/run/compare_runs.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/markup.h"
#include "base/svg_chart.h"
#include "base/text.h"
#include "energy/amount_text.h"
#include "energy/report/html_page.h"
#include "energy/report/spent_until_step.h"
#include "trainer/config/load_config.h"
#include "trainer/run/run_report.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

// All keys and values of a run's config; empty where it has none.
std::vector<ConfigValue> config_of(const fs::path& folder) {
  const RunFolder run{folder};
  if (!fs::exists(run.config())) return {};
  return values_of(load_config(run.config(), {}).config);
}

std::vector<DifferentKey> differences_of(const std::vector<std::vector<ConfigValue>>& configs) {
  const auto longest =
      std::ranges::max_element(configs, {}, [](const auto& values) { return values.size(); });
  std::vector<DifferentKey> differences;
  for (const ConfigValue& value : *longest) {
    DifferentKey key{value.key, {}};
    for (const auto& values : configs) {
      const auto at = std::ranges::find(values, value.key, &ConfigValue::key);
      key.values.push_back(at == values.end() ? "-" : at->text);
    }
    if (std::ranges::adjacent_find(key.values, std::ranges::not_equal_to()) != key.values.end())
      differences.push_back(std::move(key));
  }
  return differences;
}

std::string tokenizer_of(const fs::path& folder) {
  const fs::path file = RunFolder{folder}.provenance();
  if (!fs::exists(file)) return "";
  const nlohmann::json records =
      nlohmann::json::parse(read_file(file), nullptr, /*allow_exceptions=*/false);
  const bool has_hash = records.is_object() && records.contains("tokenizer_hash") &&
                        records["tokenizer_hash"].is_string();
  return has_hash ? records["tokenizer_hash"].get<std::string>() : "";
}

std::optional<double> least_loss(const ReportedRun& run) {
  std::optional<double> least;
  for (const CurvePoint& point : run.facts.validation_loss)
    least = std::min(least.value_or(point.value), point.value);
  return least;
}

// Of this run: those of the run that it went on from are not its own.
double tokens_until(const RunFacts& facts, int64_t step) {
  const int64_t own = step - (facts.inherited ? facts.inherited->steps : 0);
  return facts.steps > 0 ? static_cast<double>(own) * static_cast<double>(facts.tokens) /
                               static_cast<double>(facts.steps)
                         : 0;
}

// What stands on the x axis, for a step of a run.
using Place = double (*)(const ReportedRun& run, int64_t step);

std::string losses(const Comparison& comparison, const std::string& title,
                   const std::string& x_label, Place place) {
  LineChart chart{title, x_label, "nats per token", {}};
  for (const ComparedRun& one : comparison.runs) {
    const RunFacts& facts = one.run.facts;
    const bool has_validation = facts.validation_loss.size() > 1;
    ChartLine line{fs::absolute(fs::path(one.name) / "").parent_path().filename().string() +
                       (has_validation ? "" : " (training)"),
                   {},
                   {},
                   has_validation};
    for (const CurvePoint& point : has_validation ? facts.validation_loss : facts.train_loss) {
      line.x.push_back(place(one.run, point.step));
      line.y.push_back(point.value);
    }
    if (!line.x.empty()) chart.lines.push_back(std::move(line));
  }
  return chart.lines.empty() ? "" : to_svg(chart);
}

std::string number_or_dash(const std::optional<double>& value, int digits) {
  return value ? fixed(*value, digits) : "-";
}

}  // namespace

std::optional<Spent> spent_until_loss(const ReportedRun& run, double loss) {
  if (run.report.energy.joules <= 0) return std::nullopt;  // nothing is known of it
  for (const CurvePoint& point : run.facts.validation_loss) {
    if (point.value > loss) continue;
    const SpentUntilStep spent = spent_until_step(run.report, point.step);
    return Spent{point.step, tokens_until(run.facts, point.step), spent.seconds, spent.joules};
  }
  return std::nullopt;
}

std::string Comparison::doubt_of_energy() const {
  constexpr double kMostly = 0.5;
  std::vector<std::string> names;
  for (const ComparedRun& one : runs)
    if (one.run.report.measured_share < kMostly) names.push_back(one.name);
  if (names.empty()) return "";
  return cat("The energy of ", join(names, ", "),
             " is modelled, not measured: small differences may be none. The reports of the runs "
             "have the intervals.");
}

bool Comparison::has_other_tokenizers() const {
  std::set<std::string> hashes;
  for (const ComparedRun& one : runs) {
    if (!one.tokenizer.empty()) hashes.insert(one.tokenizer);
  }
  return hashes.size() > 1;
}

Comparison compare_runs(const std::vector<fs::path>& folders) {
  Comparison comparison;
  std::vector<std::vector<ConfigValue>> configs;
  for (const fs::path& folder : folders) {
    comparison.runs.push_back(
        {folder.string(), tokenizer_of(folder), reported_run({folder}, "", {})});
    configs.push_back(config_of(folder));
  }
  comparison.differences = differences_of(configs);
  double common = -std::numeric_limits<double>::infinity();
  for (const ComparedRun& one : comparison.runs)
    common =
        std::max(common, least_loss(one.run).value_or(std::numeric_limits<double>::infinity()));
  if (std::isfinite(common) && !comparison.has_other_tokenizers()) comparison.common_loss = common;
  return comparison;
}

std::string to_html(const Comparison& comparison) {
  std::vector<std::string> names = {""};
  for (const ComparedRun& one : comparison.runs) names.push_back(one.name);

  std::string results = html_head(names);
  const auto line = [&](const std::string& what, const auto& text_of) {
    std::vector<std::string> cells = {what};
    for (const ComparedRun& one : comparison.runs) cells.push_back(text_of(one.run));
    results += html_row(cells);
  };
  line("model", [](const ReportedRun& run) { return run.facts.model; });
  line("steps", [](const ReportedRun& run) { return with_commas(run.facts.steps); });
  line("tokens", [](const ReportedRun& run) { return with_commas(run.facts.tokens); });
  line("time of all attempts",
       [](const ReportedRun& run) { return human_duration(run.report.seconds); });
  line("validation loss",
       [](const ReportedRun& run) { return number_or_dash(run.facts.last_validation_loss, 4); });
  line("bits per byte",
       [](const ReportedRun& run) { return number_or_dash(run.facts.bits_per_byte, 4); });
  line("tokens per second",
       [](const ReportedRun& run) { return number_or_dash(run.facts.tokens_per_second, 0); });
  line("energy of the computers",
       [](const ReportedRun& run) { return energy_range_text(run.report.energy); });
  line("emissions",
       [](const ReportedRun& run) { return emissions_range_text(run.account.location) + " CO2e"; });
  line("energy for each token", [](const ReportedRun& run) {
    return run.facts.tokens > 0
               ? three_digits(run.report.energy.joules / static_cast<double>(run.facts.tokens)) +
                     " J"
               : "-";
  });
  results += kHtmlTableEnd;
  if (comparison.common_loss) {
    results += cat("<h3>Until the validation loss is at most ", fixed(*comparison.common_loss, 4),
                   ", which all have reached</h3>\n", html_head(names));
    const auto spent = [&](const std::string& what, const auto& text_of) {
      line(what, [&](const ReportedRun& run) {
        const std::optional<Spent> until = spent_until_loss(run, *comparison.common_loss);
        return until ? text_of(*until) : std::string("-");
      });
    };
    spent("step", [](const Spent& until) { return with_commas(until.step); });
    spent("tokens", [](const Spent& until) { return with_commas(std::llround(until.tokens)); });
    spent("time", [](const Spent& until) { return human_duration(until.seconds); });
    spent("energy", [](const Spent& until) { return energy_text(until.joules); });
    results += kHtmlTableEnd;
  }

  std::string config;
  if (comparison.differences.empty()) {
    config = "<p>The configs are the same.</p>\n";
  } else {
    std::vector<std::string> columns = names;
    columns[0] = "key";
    config = html_head(columns);
    for (const DifferentKey& difference : comparison.differences) {
      std::vector<std::string> cells = {difference.key};
      cells.insert(cells.end(), difference.values.begin(), difference.values.end());
      config += html_row(cells);
    }
    config += kHtmlTableEnd;
  }
  const std::string charts = html_charts(
      {losses(comparison, "Loss by step", "step",
              [](const ReportedRun&, int64_t step) { return static_cast<double>(step); }),
       losses(comparison, "Loss by tokens", "thousand tokens",
              [](const ReportedRun& run, int64_t step) {
                return tokens_until(run.facts, step) / 1e3;
              }),
       losses(comparison, "Loss by time", "minutes of all attempts",
              [](const ReportedRun& run, int64_t step) {
                return spent_until_step(run.report, step).seconds / 60;
              }),
       losses(comparison, "Loss by energy", "Wh of the computers",
              [](const ReportedRun& run, int64_t step) {
                return spent_until_step(run.report, step).joules / 3600;
              })});
  std::string warning =
      comparison.has_other_tokenizers() ? cat("<p>", kOtherTokenizers, "</p>\n") : "";
  if (const std::string doubt = comparison.doubt_of_energy(); !doubt.empty())
    warning += cat("<p>", markup_text(doubt), "</p>\n");
  return html_page("Runs compared", html_section("Results", results + warning) + charts +
                                        html_section("What the configs differ in", config));
}

}  // namespace lmtrain

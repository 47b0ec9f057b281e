// audit: whether published numbers of training runs can be true.
#include <iostream>
#include <set>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "energy/amount_text.h"
#include "energy/audit/audit.h"
#include "trainer/commands/command.h"
#include "trainer/commands/result_lines.h"
#include "trainer/commands/text_table.h"

namespace lmtrain {
namespace {

struct Options {
  std::string file;
  bool json = false;
};

const char* verdict_of(const Audit& audit) {
  if (audit.is_impossible()) return "impossible";
  if (!audit.findings.empty()) return "doubtful";
  return audit.num_checks == 0 ? "not checked" : "possible";
}

std::string name_of_run(const PublishedRun& run) { return run.name.empty() ? run.place : run.name; }

template <class Text>
std::string or_dash(const std::optional<double>& value, Text text) {
  return value ? text(*value) : "-";
}

std::string short_number(double value) {
  return value >= 1000 && value < 1e15 ? with_commas(std::llround(value)) : three_digits(value);
}

std::vector<std::string> row_of(const PublishedRun& run, const Audit& audit) {
  return {name_of_run(run),
          or_dash(audit.kwh, short_number),
          or_dash(run.kg_co2e, short_number),
          or_dash(audit.g_per_kwh ? audit.g_per_kwh : run.g_per_kwh, short_number),
          or_dash(audit.watts_per_device, short_number),
          or_dash(audit.mfu, [](double mfu) { return cat(fixed(100 * mfu, 1), "%"); }),
          verdict_of(audit)};
}

nlohmann::ordered_json or_null(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

void print_json(const PublishedRun& run, const Audit& audit) {
  nlohmann::ordered_json findings = nlohmann::ordered_json::array();
  for (const AuditFinding& finding : audit.findings)
    findings.push_back({{"impossible", finding.is_impossible}, {"text", finding.text}});
  std::cout << json_line({{"run", run.name},
                          {"place", run.place},
                          {"verdict", verdict_of(audit)},
                          {"checks", audit.num_checks},
                          {"kwh", or_null(audit.kwh)},
                          {"kg_co2e", or_null(run.kg_co2e)},
                          {"g_co2e_per_kwh", or_null(audit.g_per_kwh)},
                          {"watts_per_device", or_null(audit.watts_per_device)},
                          {"mfu", or_null(audit.mfu)},
                          {"remark", audit.remark},
                          {"unused", run.unused},
                          {"findings", findings}})
            << "\n";
}

void audit_file(const Options& options) {
  const std::vector<PublishedRun> runs = read_published_runs(options.file);
  std::vector<std::vector<std::string>> rows = {
      {"run", "kWh", "kgCO2e", "g/kWh", "W a device", "MFU", "verdict"}};
  std::string findings;
  std::set<std::string> unused;
  std::set<std::string> remarks;
  int64_t num_impossible = 0;
  for (const PublishedRun& run : runs) {
    const Audit result = audit(run);
    num_impossible += result.is_impossible() ? 1 : 0;
    if (options.json) {
      print_json(run, result);
      continue;
    }
    rows.push_back(row_of(run, result));
    unused.insert(run.unused.begin(), run.unused.end());
    if (!result.remark.empty()) remarks.insert(result.remark);
    for (const AuditFinding& finding : result.findings) {
      findings += cat(finding.is_impossible ? "impossible: " : "doubtful: ", name_of_run(run), " (",
                      run.place, "): ", finding.text, "\n");
    }
  }
  if (!options.json) {
    for (const std::string& line : table_lines(rows)) std::cout << line << "\n";
    std::cout << (findings.empty() ? "" : "\n") << findings;
    for (const std::string& remark : remarks) std::cout << "not checked: " << remark << "\n";
    if (!unused.empty())
      std::cout << "not read: " << join({unused.begin(), unused.end()}, ", ")
                << " (docs/reporting.md lists what audit knows)\n";
  }
  if (num_impossible > 0) {
    std::cout.flush();
    throw DataError(
        cat(counted(num_impossible, "run"), " of ", runs.size(), " cannot be as published"));
  }
}

}  // namespace

Command add_audit(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "audit",
      "Check published energy and emissions of training runs; ends with 65 where they cannot be true");
  const auto options = std::make_shared<Options>();
  app->add_option(
         "FILE", options->file,
         "A table (CSV), JSON, lmtrain's emissions.json, CodeCarbon's emissions.csv, or a model card (.md)")
      ->required();
  app->add_flag("--json", options->json, "One line of JSON for each run");
  return {.app = app,
          .examples = {"lmtrain audit runs/quickstart/emissions.json", "lmtrain audit README.md",
                       "lmtrain audit published.csv --json"},
          .synonyms = {{{"input", "path", "file"}, {}, "FILE is written without an option"}},
          .run = run_with(options, audit_file)};
}

}  // namespace lmtrain

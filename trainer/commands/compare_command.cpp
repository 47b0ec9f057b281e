// compare: runs beside each other.
#include <cmath>
#include <iostream>

#include "base/text.h"
#include "energy/amount_text.h"
#include "trainer/commands/command.h"
#include "trainer/commands/text_table.h"
#include "trainer/run/compare_runs.h"

namespace lmtrain {
namespace {

struct Options {
  std::vector<std::string> runs;
  bool is_html = false;
};

template <class Value, class Text>
std::string or_dash(const std::optional<Value>& value, const Text& text) {
  return value ? text(*value) : "-";
}

void print_table(const Comparison& comparison) {
  const auto loss = [](double value) { return fixed(value, 4); };
  std::vector<std::vector<std::string>> rows = {{"run", "steps", "tokens", "time", "validation",
                                                 "bits/byte", "tokens/s", "energy", "J/token",
                                                 "CO2e"}};
  for (const ComparedRun& one : comparison.runs) {
    const RunFacts& facts = one.run.facts;
    const EmissionsReport& report = one.run.report;
    rows.push_back({one.name, with_commas(facts.steps), with_commas(facts.tokens),
                    human_duration(report.seconds), or_dash(facts.last_validation_loss, loss),
                    or_dash(facts.bits_per_byte, loss),
                    or_dash(facts.tokens_per_second,
                            [](double rate) { return with_commas(std::llround(rate)); }),
                    energy_text(report.energy.joules),
                    facts.tokens > 0
                        ? three_digits(report.energy.joules / static_cast<double>(facts.tokens))
                        : "-",
                    emissions_text(one.run.account.location.grams)});
  }
  for (const std::string& line : table_lines(rows)) std::cout << line << "\n";
  if (comparison.has_other_tokenizers()) std::cout << "\n" << kOtherTokenizers << "\n";
  if (const std::string doubt = comparison.doubt_of_energy(); !doubt.empty())
    std::cout << "\n" << doubt << "\n";
  if (comparison.common_loss) {
    std::cout << "\nuntil the validation loss is at most " << loss(*comparison.common_loss)
              << ":\n";
    rows = {{"run", "step", "tokens", "time", "energy"}};
    for (const ComparedRun& one : comparison.runs) {
      const std::optional<Spent> spent = spent_until_loss(one.run, *comparison.common_loss);
      if (!spent) continue;
      rows.push_back({one.name, with_commas(spent->step), with_commas(std::llround(spent->tokens)),
                      human_duration(spent->seconds), energy_text(spent->joules)});
    }
    for (const std::string& line : table_lines(rows)) std::cout << line << "\n";
  }
  if (comparison.differences.empty()) {
    std::cout << "\nthe configs are the same\n";
    return;
  }
  std::cout << "\nwhat the configs differ in:\n";
  rows = {{"key"}};
  for (const ComparedRun& one : comparison.runs) rows[0].push_back(one.name);
  for (const DifferentKey& difference : comparison.differences) {
    rows.push_back({difference.key});
    rows.back().insert(rows.back().end(), difference.values.begin(), difference.values.end());
  }
  for (const std::string& line : table_lines(rows)) std::cout << line << "\n";
}

void compare(const Options& options) {
  const Comparison comparison = compare_runs({options.runs.begin(), options.runs.end()});
  if (options.is_html) {
    std::cout << to_html(comparison);
  } else {
    print_table(comparison);
  }
}

}  // namespace

Command add_compare(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "compare", "Runs beside each other: results, what they spent until the same loss, configs");
  const auto options = std::make_shared<Options>();
  app->add_option("RUN", options->runs, "Folders of two runs or more")->required()->expected(2, 20);
  app->add_flag("--html", options->is_html,
                "A page for a browser, with the losses by step, token, time and joule");
  return {.app = app,
          .examples = {"lmtrain compare runs/adamw runs/muon",
                       "lmtrain compare runs/adamw runs/muon --html > compare.html"},
          .synonyms = {{{"run", "runs", "dir"}, {}, "RUN is written without an option"}},
          .run = run_with(options, compare)};
}

}  // namespace lmtrain

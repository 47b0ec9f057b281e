#include <algorithm>
#include <cmath>
#include <ctime>

#include "base/durable_file.h"
#include "base/text.h"
#include "energy/amount_text.h"
#include "energy/report/account.h"
#include "energy/report/report.h"
#include "energy/report/report_charts.h"
#include "energy/report/report_rows.h"

namespace lmtrain {
namespace {

// A table of ranks has at most so many rows; emissions.json has all ranks.
constexpr size_t kMaxRankRows = 64;

std::string utc(double unix_seconds) {
  const auto time = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

std::string row(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& text : cells) line += cat(" ", markdown_cell(text), " |");
  return line + "\n";
}

std::string table_head(const std::vector<std::string>& names) {
  return row(names) + row(std::vector<std::string>(names.size(), "---"));
}

// A code block whose fence is longer than any run of backticks in the text.
std::string fenced(const std::string& text, const char* language = "") {
  size_t longest = 2;
  size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(longest + 1, '`');
  const char* end = text.ends_with("\n") ? "" : "\n";
  return cat(fence, language, "\n", text, end, fence, "\n\n");
}

std::string intro(const RunFacts& facts) {
  if (facts.model.empty()) return cat("# Run ", facts.name, "\n\nNot begun to train.\n\n");
  const char* nodes = facts.num_nodes == 1 ? " node" : " nodes";
  const char* ranks = facts.num_ranks == 1 ? " rank on " : " ranks on ";
  return cat("# Run ", facts.name, "\n\n", facts.finished ? "Finished" : "Not finished", ". ",
             facts.model, ", ", with_commas(facts.num_parameters), " parameters, ", facts.precision,
             ", ", facts.num_ranks, ranks, facts.num_nodes, nodes, ". Started ", facts.started,
             ".\n\n");
}

std::string training_rows(const RunFacts& facts) {
  const char* const until = facts.finished ? "" : ", up to the last save";
  std::string rows = row({cat("Steps", until), with_commas(facts.steps)}) +
                     row({cat("Tokens", until), with_commas(facts.tokens)}) +
                     row({"Time training", human_duration(facts.seconds)});
  if (facts.inherited) {
    const Inherited& from = *facts.inherited;
    rows += row({cat("Spent before by ", from.checkpoint, ", not included here"),
                 cat(with_commas(from.steps), " steps, ", with_commas(from.tokens), " tokens, ",
                     three_digits(kwh(from.joules)), " kWh")});
  }
  if (facts.tokens_per_second) {
    rows += row({"Tokens per second", with_commas(std::llround(*facts.tokens_per_second))});
  }
  if (facts.matmul_share)
    rows += row({"Share of the matmul ceiling", percent(*facts.matmul_share)});
  if (facts.mfu) rows += row({"Share of the data sheet's peak (MFU)", percent(*facts.mfu)});
  if (facts.saves) {
    const SaveFacts& saves = *facts.saves;
    rows += row({"Checkpoints saved",
                 cat(with_commas(saves.count), ", of ", human_bytes(saves.bytes), ", written at ",
                     human_bytes(std::llround(saves.bytes_per_second)), "/s")});
    rows += row({"Copies for saves, while training stood still",
                 cat(three_digits(saves.stall_seconds), " s, ",
                     percent(saves.stall_seconds / (saves.stall_seconds + facts.seconds)))});
  }
  if (facts.failed_saves > 0)
    rows += row({"Saves that failed and were abandoned", with_commas(facts.failed_saves)});
  if (facts.spikes > 0)
    rows += row({"Spikes of the loss or the gradient norm", with_commas(facts.spikes)});
  if (facts.skipped_steps > 0)
    rows += row({"Steps whose update was left out", with_commas(facts.skipped_steps)});
  if (facts.last_validation_loss) {
    const std::string last = fixed(*facts.last_validation_loss, 4);
    rows +=
        row({"Validation loss, first to last",
             facts.first_validation_loss ? cat(fixed(*facts.first_validation_loss, 4), " to ", last)
                                         : last});
    if (facts.bits_per_byte || facts.masked_accuracy)
      rows += row({"Validation perplexity", fixed(std::exp(*facts.last_validation_loss), 2)});
  }
  for (const SourceLoss& one : facts.validation_by_source)
    rows += row({cat("Validation loss of ", one.source), fixed(one.loss, 4)});
  if (facts.bits_per_byte) rows += row({"Bits per byte", fixed(*facts.bits_per_byte, 4)});
  if (facts.bigram_bits_per_byte) {
    rows += row({"Bits per byte of a bigram model", fixed(*facts.bigram_bits_per_byte, 4)});
  }
  const auto percent = [](double share) { return fixed(100 * share, 1) + "%"; };
  if (facts.masked_accuracy) {
    rows += row({"Masked tokens predicted", percent(*facts.masked_accuracy)});
    rows += row({"The same by the most frequent token",
                 percent(facts.most_frequent_accuracy.value_or(0.0))});
  }
  if (facts.sentence_accuracy)
    rows += row({"Pairs of segments told apart", percent(*facts.sentence_accuracy)});
  return rows;
}

std::string price_text(const EnergyPrice& price) {
  return cat(pue_text(price), ", ", describe(price.grid),
             price.is_grid_assumed ? " (assumed)" : "");
}

// What a reader must see beside the first number, and not only at the end.
std::string face_rows(const EmissionsReport& report) {
  std::string rows;
  for (const SharedNode& node : report.shared_nodes) {
    rows +=
        row({cat("Shared node ", node.host, ", attempt ", node.attempt),
             cat(percent(node.share.cpu), " of its CPU time and ", percent(node.share.memory),
                 " of its memory were this job's; of the node's ", energy_text(node.node_joules),
                 " it is given ", energy_text(node.joules), ", and the high end has all")});
  }
  for (const std::string& doubt : report.doubts) rows += row({"Doubt", doubt});
  return rows;
}

std::string energy_rows(const EmissionsReport& report, const RunFacts& facts,
                        const Account& account) {
  const double joules = report.energy.joules;
  std::string rows = row({"Energy of the computers", energy_range_text(report.energy)});
  rows += row({"Measured, modelled, missing",
               cat(percent(report.measured_share), ", ", percent(report.modelled_share), ", ",
                   percent(report.missing_share))});
  rows += face_rows(report);
  for (const ReportRow& cells : batch_rows(report)) rows += row(cells);
  rows += row({"Energy of the facility", energy_range_text(report.cost.facility)});
  rows += row({"Emissions, CO2e", cat(emissions_range_text(account.location),
                                      ", location-based; the interval contains meters, PUE and "
                                      "grid")});
  for (const BudgetUse& use : report.budget) rows += row({"Budget", describe(use)});
  if (const EnergyPrice* price = report.one_price()) {
    rows += row({"Counted with", price_text(*price)});
  } else {
    rows += row({"Counted with", "the PUE and grid of each attempt, see below"});
  }
  if (report.original_cost) {
    rows += row({"With the PUE and grid that the run had",
                 cat("facility ", energy_range_text(report.original_cost->facility), ", emissions ",
                     emissions_range_text(location_based_before(report)))});
  }
  if (facts.has_lost_energy) {
    rows += row(
        {"Energy per token", "not known, because a part of the energy was lost (see the remarks)"});
    return rows;
  }
  if (facts.tokens > 0) {
    const auto tokens = static_cast<double>(facts.tokens);
    rows += row({"Energy per token", cat(three_digits(joules / tokens), " J")});
    rows += row({"Emissions per million tokens",
                 cat(three_digits(report.cost.emissions.grams / tokens * 1e6), " g CO2e")});
  }
  if (facts.flops > 0.0 && joules > 0.0) {
    rows += row({"Work per energy", cat(three_digits(facts.flops / joules * 1e-9), " GFLOP/J")});
  }
  return rows;
}

std::string device_table(const EmissionsReport& report) {
  std::string text = "### By device\n\n";
  text += table_head({"node", "device", "source", "energy", "time covered"});
  for (const DeviceEnergy& device : report.devices) {
    const bool any = device.covered_seconds > 0.0;
    const double covered = device.seconds > 0.0 ? device.covered_seconds / device.seconds : 0.0;
    text +=
        row({device.host, device.sensor.label,
             std::string(any ? quality_name(device.sensor.quality) : "missing"),
             any ? energy_range_text(device.energy) : "unknown", percent(std::min(1.0, covered))});
  }
  return text + "\n";
}

std::string node_and_rank_tables(const EmissionsReport& report) {
  std::string text = "### By node\n\n" + table_head({"node", "energy"});
  for (const NodeEnergy& node : report.nodes)
    text += row({node.host, energy_range_text(node.energy)});
  text +=
      "\n### By rank\n\n"
      "A rank has the energy of its GPU and, by CPU time, its part of the rest of its node.\n\n";
  text += table_head({"rank", "energy", "CPU time"});
  for (const RankEnergy& rank : report.ranks) {
    if (static_cast<size_t>(&rank - report.ranks.data()) == kMaxRankRows) break;
    text += row({std::to_string(rank.rank), energy_range_text(rank.energy),
                 cat(three_digits(rank.cpu_seconds), " s")});
  }
  text += "\n";
  if (report.ranks.size() > kMaxRankRows) {
    text += cat(report.ranks.size() - kMaxRankRows, " more ranks are in emissions.json.\n\n");
  }
  return text;
}

std::string phase_table(const EmissionsReport& report) {
  std::string text =
      "### By phase\n\n" + table_head({"phase", "energy", "share", "time of rank 0"});
  for (int i = 0; i < kNumPhases; ++i) {
    const PhaseEnergy& phase = report.phases[static_cast<size_t>(i)];
    if (phase.joules <= 0.0 && phase.seconds <= 0.0) continue;
    const double share = report.energy.joules > 0.0 ? phase.joules / report.energy.joules : 0.0;
    text += row({std::string(phase_name(static_cast<Phase>(i))), energy_text(phase.joules),
                 percent(share), cat(three_digits(phase.seconds), " s")});
  }
  return text + "\n";
}

std::string account_table(const EmissionsReport& report, const Account& account) {
  std::string text = "## Account\n\n" + table_head({"line", "amount", "how"});
  for (const ReportRow& cells : account_rows(report, account)) text += row(cells);
  return text + "\n";
}

std::string plan_table(const EmissionsReport& report) {
  const std::vector<ReportRow> rows = plan_rows(report);
  if (rows.empty()) return "";
  std::string text = cat("## Plan and actual\n\nPlanned ", report.plan->plan.made, ", ",
                         report.plan->plan.source, ".\n\n") +
                     table_head({"factor", "planned", "actual", "actual / planned"});
  for (const ReportRow& cells : rows) text += row(cells);
  return text + "\n";
}

std::string cap_table(const RunFacts& facts) {
  const std::vector<ReportRow> rows = cap_rows(facts);
  if (rows.empty()) return "";
  std::string text = cat("### Power caps\n\n", cap_sentence(facts), "\n\n",
                         table_head({"setting", "a step", "change", "energy of a step", "change"}));
  for (const ReportRow& cells : rows) text += row(cells);
  return text + "\n";
}

std::string use_table(const EmissionsReport& report) {
  std::string text = "## Time and energy by use\n\n" +
                     table_head({"spent on", "time", "share", "energy", "share of it"});
  for (const ReportRow& cells : use_rows(report)) text += row(cells);
  return text + "\n";
}

std::string steps_text(const AttemptEnergy& attempt) {
  if (!attempt.has_computed) return "none";
  if (attempt.first_step == attempt.last_step) return std::to_string(attempt.first_step);
  return cat(attempt.first_step, " to ", attempt.last_step);
}

std::string attempt_table(const EmissionsReport& report) {
  std::string text = "### By attempt\n\n";
  text += table_head({"attempt", "started (UTC)", "ranks", "steps", "time", "energy",
                      "of it on steps computed again", "ended in order", "PUE and grid", "job"});
  for (const AttemptEnergy& attempt : report.attempts) {
    text += row({std::to_string(attempt.attempt), utc(attempt.wall_seconds),
                 std::to_string(attempt.num_ranks), steps_text(attempt),
                 human_duration(attempt.seconds), energy_range_text(attempt.energy),
                 energy_text(attempt.wasted_joules), attempt.stopped ? "yes" : "no",
                 price_text(attempt.price), attempt.job ? to_text(*attempt.job) : "none"});
  }
  return text + "\n";
}

std::string remarks_list(const EmissionsReport& report, const RunFacts& facts) {
  std::string text;
  for (const std::string& remark : report.remarks) text += cat("- ", markdown_cell(remark), "\n");
  for (const std::string& note : facts.notes) text += cat("- ", markdown_cell(note), "\n");
  return text.empty() ? "" : "### Remarks\n\n" + text + "\n";
}

std::string task_table(const RunFacts& facts) {
  if (facts.tasks.empty()) return "";
  std::string text =
      "## Tasks\n\n" + table_head({"Task", "Measure", "First", "Last", "Best", "At step"});
  for (const TaskCurve& task : facts.tasks) {
    text += row({task.name, task.measure, fixed(task.points.front().value, 4),
                 fixed(task.points.back().value, 4), fixed(task.best().value, 4),
                 with_commas(task.best().step)});
  }
  return text + "\n";
}

std::string sample_blocks(const RunFacts& facts) {
  std::string text;
  for (const TextSample& sample : facts.samples) text += fenced(sample.prompt + sample.text);
  return text.empty() ? "" : "## Samples\n\n" + text;
}

std::string origin(const EmissionsReport& report, const RunFacts& facts) {
  std::string text;
  const bool names_ember = std::ranges::any_of(
      report.attempts, [](const AttemptEnergy& one) { return is_national(one.price.grid); });
  if (names_ember) {
    text += "Grid intensity: Ember, Yearly Electricity Data, CC BY 4.0.\n\n";
  }
  if (!facts.software.empty()) text += cat("Made by ", facts.software, ".\n\n");
  if (!facts.command_line.empty()) text += fenced(facts.command_line);
  if (!facts.config_yaml.empty())
    text += "## Settings that differ from the defaults\n\n" + fenced(facts.config_yaml, "yaml");
  return text;
}

}  // namespace

void write_report_markdown(const std::filesystem::path& path, const EmissionsReport& report,
                           const RunFacts& facts, const Account& account) {
  // Writes a chart beside the report, unless it is empty, and returns the line that shows it.
  const auto picture = [&](const char* name, const char* alternative, const std::string& svg) {
    if (svg.empty()) return std::string();
    const std::string file = cat(path.stem().string(), "_", name, ".svg");
    write_file_durably(path.parent_path() / file, svg);
    return cat("![", alternative, "](", file, ")\n\n");
  };
  std::string text = intro(facts);
  text += table_head({"", ""}) + training_rows(facts) + energy_rows(report, facts, account) + "\n";
  text += picture("loss", "Training and validation loss by step", loss_chart(facts));
  text += task_table(facts);
  text += picture("labels", "How often each label was predicted as each", confusion_chart(facts));
  text += sample_blocks(facts);
  text += account_table(report, account);
  text += plan_table(report);
  text += use_table(report);
  text += "## Energy\n\n";
  text += picture("power", "Power over time by kind of device", power_chart(report));
  text += device_table(report) + node_and_rank_tables(report) + phase_table(report);
  text += picture("phases", "Energy by phase", phase_chart(report));
  text += cap_table(facts);
  text += attempt_table(report) + remarks_list(report, facts) + origin(report, facts);
  write_file_durably(path, text);
}

}  // namespace lmtrain

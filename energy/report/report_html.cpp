#include "energy/report/report_html.h"

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "base/markup.h"
#include "base/text.h"
#include "energy/amount_text.h"
#include "energy/report/equivalents.h"
#include "energy/report/html_page.h"
#include "energy/report/report_charts.h"
#include "energy/report/report_rows.h"

namespace lmtrain {
namespace {

// Tables have at most so many rows; emissions.json has all.
constexpr size_t kMaxRows = 64;
constexpr int kRefreshSeconds = 30;

// A table of parts that add up, with a bar for each.
struct Part {
  std::string name;
  std::string more;
  double joules = 0;
};
std::string part_table(const std::string& name, const std::string& more,
                       const std::vector<Part>& parts) {
  double all = 0;
  double most = 0;
  for (const Part& part : parts) {
    all += part.joules;
    most = std::max(most, part.joules);
  }
  if (all <= 0) return "";
  std::string text = html_head({name, more, "energy", "share", ""});
  for (size_t i = 0; i < std::min(parts.size(), kMaxRows); ++i) {
    const Part& part = parts[i];
    text += cat("<tr><td>", markup_text(part.name), "</td><td>", markup_text(part.more),
                "</td><td class=\"number\">", markup_text(energy_text(part.joules)),
                "</td><td class=\"number\">", percent(part.joules / all),
                "</td><td style=\"width:30%\"><span class=\"bar\" style=\"width:",
                fixed(100 * part.joules / most, 1), "%\"></span></td></tr>\n");
  }
  text += kHtmlTableEnd;
  if (parts.size() > kMaxRows)
    text +=
        cat("<p class=\"soft\">", parts.size() - kMaxRows, " more are in emissions.json.</p>\n");
  return text;
}

std::string state_of(const RunFacts& facts, const EmissionsReport& report) {
  if (facts.finished) return "finished";
  const bool has_ended = !report.attempts.empty() && report.attempts.back().stopped;
  return has_ended ? "stopped" : "not finished, as of its last save";
}

// The report in a few sentences.
std::string summary(const EmissionsReport& report, const RunFacts& facts, const Account& account) {
  const char* const ranks = facts.num_ranks == 1 ? " rank on " : " ranks on ";
  const char* const nodes = facts.num_nodes == 1 ? " node" : " nodes";
  std::string text = cat(
      "The run took ", human_duration(report.seconds), " in ",
      counted(static_cast<int64_t>(report.attempts.size()), "attempt"), " with ", facts.num_ranks,
      ranks, facts.num_nodes, nodes, ". Its computers used ", energy_range_text(report.energy),
      ": ", percent(report.measured_share), " of that is measured, ",
      percent(report.modelled_share), " modelled, ", percent(report.missing_share),
      " was not read. The facility used ", energy_text(report.cost.facility.joules),
      ". The electricity caused ", emissions_range_text(account.location),
      " CO2e, location-based and gross; the run's share of what is embodied in the "
      "hardware is another ",
      emissions_text(account.embodied_grams()), ".");
  const double wasted = report.wasted_joules();
  if (wasted > 0 && report.energy.joules > 0)
    text += cat(" ", energy_text(wasted), " (", percent(wasted / report.energy.joules),
                ") went into steps that were computed again.");
  if (report.energy.joules > 0) {
    text += cat(" The energy is as much as ", energy_equivalent(report.energy.joules),
                ", and the emissions of the electricity are as much as ",
                emissions_equivalent(account.location.grams), ".");
  }
  if (facts.has_lost_energy)
    text += " A part of the record was lost: more was used than these numbers say.";
  return cat("<p>", markup_text(text), "</p>\n");
}

std::string tiles(const EmissionsReport& report, const RunFacts& facts, const Account& account) {
  std::string text = "<div class=\"tiles\">\n";
  text += html_tile(energy_text(report.energy.joules), "energy of the computers");
  text +=
      html_tile(emissions_text(account.location.grams) + " CO2e", "emissions of the electricity");
  if (facts.tokens > 0 && !facts.has_lost_energy)
    text += html_tile(three_digits(report.energy.joules / static_cast<double>(facts.tokens)) + " J",
                      "for each token");
  if (facts.tokens > 0) text += html_tile(with_commas(facts.tokens), "tokens");
  if (facts.last_validation_loss)
    text += html_tile(fixed(*facts.last_validation_loss, 4), "validation loss");
  if (facts.tokens_per_second)
    text += html_tile(with_commas(std::llround(*facts.tokens_per_second)), "tokens per second");
  if (facts.matmul_share)
    text += html_tile(percent(*facts.matmul_share), "of the measured matmul ceiling");
  if (facts.mfu) text += html_tile(percent(*facts.mfu), "of the data sheet's peak (MFU)");
  return text + "</div>\n";
}

std::string charts(const EmissionsReport& report, const RunFacts& facts) {
  return html_charts({power_chart(report), cumulative_energy_chart(report),
                      cumulative_emissions_chart(report), loss_chart(facts),
                      loss_by_energy_chart(report, facts), phase_chart(report),
                      confusion_chart(facts)});
}

// ", 12,345 tokens/s, 43% of the matmul ceiling, MFU 31%"; "" where nothing is known.
std::string speed_text(const RunFacts& facts, int64_t attempt) {
  for (const AttemptSpeed& speed : facts.speeds) {
    if (speed.attempt != attempt || speed.seconds <= 0) continue;
    return cat(
        ", ", with_commas(std::llround(static_cast<double>(speed.tokens) / speed.seconds)),
        " tokens/s",
        speed.matmul_share ? cat(", ", percent(*speed.matmul_share), " of the matmul ceiling") : "",
        speed.mfu ? cat(", MFU ", percent(*speed.mfu)) : "");
  }
  return "";
}

std::string parts(const EmissionsReport& report, const RunFacts& facts) {
  std::vector<Part> devices;
  for (const DeviceEnergy& device : report.devices) {
    const double covered =
        device.seconds > 0 ? std::min(1.0, device.covered_seconds / device.seconds) : 0;
    const std::string source =
        device.covered_seconds > 0 ? std::string(quality_name(device.sensor.quality)) : "missing";
    devices.push_back({cat(device.host, ": ", device.sensor.label),
                       cat(source, ", ", percent(covered), " of the time"), device.energy.joules});
  }
  std::vector<Part> phases;
  for (int i = 0; i < kNumPhases; ++i) {
    const PhaseEnergy& phase = report.phases[static_cast<size_t>(i)];
    if (phase.joules > 0)
      phases.push_back({std::string(phase_name(static_cast<Phase>(i))),
                        cat(three_digits(phase.seconds), " s of rank 0"), phase.joules});
  }
  std::vector<Part> nodes;
  for (const NodeEnergy& node : report.nodes) nodes.push_back({node.host, "", node.energy.joules});
  std::vector<Part> ranks;
  for (const RankEnergy& rank : report.ranks)
    ranks.push_back({std::to_string(rank.rank),
                     cat(three_digits(rank.cpu_seconds), " s of CPU time"), rank.energy.joules});
  std::vector<Part> attempts;
  for (const AttemptEnergy& attempt : report.attempts) {
    const std::string steps = attempt.has_computed
                                  ? cat("steps ", attempt.first_step, " to ", attempt.last_step)
                                  : "no step";
    attempts.push_back(
        {std::to_string(attempt.attempt),
         cat(utc_text(attempt.wall_seconds), ", ", human_duration(attempt.seconds), ", ", steps,
             speed_text(facts, attempt.attempt), attempt.stopped ? "" : ", did not end in order",
             attempt.job ? cat(", ", to_text(*attempt.job)) : ""),
         attempt.energy.joules});
  }
  return html_section("Energy by device", part_table("device", "source", devices)) +
         html_section("Energy by phase", part_table("phase", "time", phases)) +
         html_section("Energy by node", nodes.size() > 1 ? part_table("node", "", nodes) : "") +
         html_section("Energy by rank", ranks.size() > 1 ? part_table("rank", "", ranks) : "") +
         html_section("Energy by attempt", part_table("attempt", "", attempts));
}

std::string budget_section(const EmissionsReport& report) {
  if (report.budget.empty()) return "";
  std::string text = html_head({"limit", "spent", "of it"});
  for (const BudgetUse& use : report.budget) {
    text += html_row({cat(use.key, " = ", three_digits(use.limit), " ", use.unit),
                      cat(three_digits(use.spent), " ", use.unit), percent(use.share())});
  }
  return html_section("Budget", text + kHtmlTableEnd);
}

std::string plan_section(const EmissionsReport& report) {
  const std::vector<ReportRow> rows = plan_rows(report);
  if (rows.empty()) return "";
  std::string text = html_head({"factor", "planned", "actual", "actual / planned"});
  for (const ReportRow& cells : rows) text += html_row(cells);
  return html_section(cat("Plan and actual (", report.plan->plan.source, ")"),
                      text + kHtmlTableEnd);
}

std::string cap_section(const RunFacts& facts) {
  const std::vector<ReportRow> rows = cap_rows(facts);
  if (rows.empty()) return "";
  std::string text = cat("<p>", markup_text(cap_sentence(facts)), "</p>\n",
                         html_head({"setting", "a step", "change", "energy of a step", "change"}));
  for (const ReportRow& cells : rows) text += html_row(cells);
  return html_section("Power caps", text + kHtmlTableEnd);
}

std::string use_section(const EmissionsReport& report) {
  std::string text = html_head({"spent on", "time", "of all", "energy", "of all"});
  for (const ReportRow& cells : use_rows(report)) text += html_row(cells);
  return html_section("What time and energy went into", text + kHtmlTableEnd);
}

std::string account_section(const EmissionsReport& report, const Account& account) {
  std::string text = html_head({"line", "amount", "how"});
  for (const ReportRow& cells : account_rows(report, account)) text += html_row(cells);
  return html_section("Account", text + kHtmlTableEnd);
}

// What was measured, modelled, assumed and left out.
std::string basis_section(const EmissionsReport& report, const RunFacts& facts,
                          const ReportConfig& people) {
  std::string text = html_head({"", ""});
  const std::string left_out = networks_and_storage_left_out(report);
  text +=
      html_row({"Boundary",
                cat("computers of all nodes from the start of each attempt to its end; ", left_out,
                    left_out.empty() ? "" : ", and ", "the time between attempts are left out")});
  std::vector<std::string> prices;
  for (const AttemptEnergy& attempt : report.attempts) {
    const EnergyPrice& price = attempt.price;
    std::string one = cat("PUE ", shortest(price.pue),
                          price.is_pue_assumed ? " (assumed: nobody set energy.pue)" : "",
                          "; grid ", describe(price.grid),
                          price.is_grid_assumed ? " (assumed: nobody set energy.region)" : "");
    if (std::ranges::find(prices, one) == prices.end()) prices.push_back(std::move(one));
  }
  text += html_row({"PUE and grid", join(prices, "; then ")});
  const std::string pue_source = source_of_pue(report, people);
  text += html_row(
      {"Source of the PUE", pue_source.empty() ? "not given (report.pue_source)" : pue_source});
  if (facts.inherited) {
    text += html_row({"Not included", cat("the making of ", facts.inherited->checkpoint, ": ",
                                          energy_text(facts.inherited->joules))});
  }
  for (const SharedNode& node : report.shared_nodes) {
    text +=
        html_row({cat("Shared node ", node.host, ", attempt ", node.attempt),
                  cat(percent(node.share.cpu), " of its CPU time and ", percent(node.share.memory),
                      " of its memory were this job's; of ", energy_text(node.node_joules),
                      " it is given ", energy_text(node.joules))});
  }
  for (const ReportRow& cells : batch_rows(report)) text += html_row(cells);
  text += kHtmlTableEnd;
  for (const std::string& remark : report.remarks)
    text += cat("<p>", markup_text(remark), ".</p>\n");
  for (const std::string& note : facts.notes) text += cat("<p>", markup_text(note), "</p>\n");
  return html_section("What the numbers stand on", text);
}

std::string end_matter(const RunFacts& facts) {
  std::string text;
  for (const TextSample& sample : facts.samples)
    text += cat("<pre>", markup_text(sample.prompt + sample.text), "</pre>\n");
  text = html_section("Samples", text);
  std::string origin;
  if (!facts.software.empty())
    origin += cat("<p class=\"soft\">", markup_text(facts.software), "</p>\n");
  if (!facts.command_line.empty())
    origin += cat("<pre>", markup_text(facts.command_line), "</pre>\n");
  if (!facts.config_yaml.empty())
    origin += cat("<h3>Settings that differ from the defaults</h3><pre>",
                  markup_text(facts.config_yaml), "</pre>\n");
  return text + html_section("Origin", origin);
}

}  // namespace

std::string report_html(const EmissionsReport& report, const RunFacts& facts,
                        const Account& account, const ReportConfig& people) {
  std::string text;
  text += cat("<p class=\"soft\">", markup_text(state_of(facts, report)));
  if (!facts.model.empty()) {
    text += cat(". ", markup_text(facts.model), ", ", with_commas(facts.num_parameters),
                " parameters, ", markup_text(facts.precision), ". Started ",
                markup_text(facts.started), ", ", with_commas(facts.steps), " steps.");
  }
  text += "</p>\n";
  for (const std::string& doubt : report.doubts)
    text += cat("<p class=\"doubt\">Doubt: ", markup_text(doubt), "</p>\n");
  text += html_section("Summary", summary(report, facts, account));
  text += tiles(report, facts, account);
  text += charts(report, facts);
  text += account_section(report, account);
  text += basis_section(report, facts, people);
  text += parts(report, facts);
  text += budget_section(report);
  text += plan_section(report);
  text += cap_section(facts);
  text += use_section(report);
  text += end_matter(facts);
  return html_page("Run " + facts.name, text, facts.finished ? 0 : kRefreshSeconds);
}

}  // namespace lmtrain

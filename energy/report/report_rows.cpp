#include "energy/report/report_rows.h"

#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "energy/amount_text.h"

namespace lmtrain {

std::string markdown_cell(const std::string& text) {
  std::string cell;
  for (const char letter : shown_as_utf8(text)) {
    if (letter == '|') cell += '\\';
    if (letter == '<') {
      cell += "&lt;";
      continue;
    }
    cell += letter == '\n' || letter == '\r' ? ' ' : letter;
  }
  return cell;
}

std::string percent(double share) { return cat(fixed(100.0 * share, 1), "%"); }

std::string networks_and_storage_left_out(const EmissionsReport& report) {
  const auto counts = [&](const char* key) {
    return std::ranges::any_of(
        report.devices, [&](const DeviceEnergy& device) { return device.sensor.key == key; });
  };
  std::vector<std::string> left_out;
  if (!counts("allowance:network")) left_out.push_back("networks");
  if (!counts("allowance:storage")) left_out.push_back("storage");
  return left_out.empty() ? "" : join(left_out, " and ") + " outside the nodes";
}

std::vector<ReportRow> plan_rows(const EmissionsReport& report) {
  if (!report.plan) return {};
  std::vector<ReportRow> rows;
  for (const FactorCompared& factor : report.plan->factors) {
    const std::string unit = factor.unit.empty() ? "" : " " + factor.unit;
    rows.push_back({factor.name, three_digits(factor.planned) + unit,
                    three_digits(factor.actual) + unit,
                    factor.planned > 0 ? fixed(factor.actual / factor.planned, 3) : ""});
  }
  return rows;
}

std::vector<ReportRow> cap_rows(const RunFacts& facts) {
  if (facts.power_caps.empty()) return {};
  const CapFacts& caps = facts.power_caps.back();
  // Without a cap: before the others and, where all were tried, after them.
  CapTrialFacts former = caps.trials.front();
  if (caps.trials.size() > 1 && caps.trials.back().share == 1.0) {
    former.step_seconds = (former.step_seconds + caps.trials.back().step_seconds) / 2;
    former.step_joules = (former.step_joules + caps.trials.back().step_joules) / 2;
  }
  const auto change = [](double value, double than) {
    if (than <= 0) return std::string();
    const double percents = 100 * (value / than - 1);
    return cat(percents >= 0 ? "+" : "", fixed(percents, 1), "%");
  };
  std::vector<ReportRow> rows;
  for (const CapTrialFacts& one : caps.trials) {
    rows.push_back(
        {cat(one.setting, one.share == 1.0 ? " (no cap)" : ""),
         cat(three_digits(one.step_seconds), " s"), change(one.step_seconds, former.step_seconds),
         cat(three_digits(one.step_joules), " J"), change(one.step_joules, former.step_joules)});
  }
  return rows;
}

std::string cap_sentence(const RunFacts& facts) {
  if (facts.power_caps.empty()) return "";
  const CapFacts& caps = facts.power_caps.back();
  std::string taken = "none, since no cap saved energy";
  for (const CapTrialFacts& one : caps.trials)
    if (one.share == caps.chosen_share && one.share < 1.0) taken = one.setting;
  return cat("Attempt ", caps.attempt, " tried these for a few steps each, and took ", taken,
             " with steps at most ", fixed(100 * caps.max_slowdown, 1),
             "% longer (energy.max_slowdown).");
}

std::vector<ReportRow> batch_rows(const EmissionsReport& report) {
  std::vector<ReportRow> rows;
  for (const BatchEnergy& job : report.batch) {
    const double ratio = job.joules > 0 ? job.system_joules / job.joules : 0;
    rows.push_back({cat("Slurm's figure for job ", job.job),
                    cat(energy_text(job.system_joules), ", ", fixed(ratio, 3), " times lmtrain's ",
                        energy_text(job.joules), " of ", counted(job.attempts, "attempt"))});
  }
  return rows;
}

std::vector<ReportRow> account_rows(const EmissionsReport& report, const Account& account) {
  std::vector<ReportRow> rows = {
      {"electricity, location-based, gross", emissions_range_text(account.location) + " CO2e",
       "facility's energy times the grid; the interval contains meters, PUE and grid"}};
  const auto add = [&](const std::string& line, const std::string& amount, const std::string& how) {
    rows.push_back({line, amount, how});
  };
  if (account.market_grams)
    add("electricity, market-based", emissions_text(*account.market_grams) + " CO2e",
        account.market_how);
  constexpr const char* kGiven = "as given; not subtracted";
  if (account.offsets_grams > 0)
    add("offsets", emissions_text(account.offsets_grams) + " CO2e", kGiven);
  if (account.captured_grams > 0)
    add("captured carbon", emissions_text(account.captured_grams) + " CO2e", kGiven);
  for (const EmbodiedPart& part : account.embodied) {
    add(cat("embodied in ", part.count, " x ", part.what), emissions_text(part.grams) + " CO2e",
        cat(shortest(part.kg_each), " kg each x ", three_digits(part.device_days), " days / ",
            shortest(account.lifetime_years), " years; ", part.source));
  }
  if (account.water_litres)
    add("water of cooling", three_digits(*account.water_litres) + " l", "as given for each kWh");
  if (report.money > 0)
    add("cost", cat(three_digits(report.money), " ", report.currency),
        "energy.price_per_kwh and energy.price_per_device_hour");
  if (report.original_cost)
    add("with the PUE and grid that the run had",
        emissions_range_text(location_based_before(report)) + " CO2e", "");
  return rows;
}

std::vector<ReportRow> use_rows(const EmissionsReport& report) {
  const RunUse use = report.use();
  const double seconds = use.all_seconds();
  const double joules = report.energy.joules;
  std::vector<ReportRow> rows;
  for (const auto& part : use.parts()) {
    if (part.use->seconds <= 0 && part.use->joules <= 0) continue;
    const bool is_metered = part.use != &use.between;
    rows.push_back({part.text, human_duration(part.use->seconds),
                    percent(seconds > 0 ? part.use->seconds / seconds : 0),
                    is_metered ? energy_text(part.use->joules) : "",
                    is_metered && joules > 0 ? percent(part.use->joules / joules) : ""});
  }
  return rows;
}

}  // namespace lmtrain

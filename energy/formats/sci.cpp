// Software Carbon Intensity (ISO/IEC 21031:2024) in the provider's boundary of SCI for AI.
#include "base/text.h"
#include "energy/amount_text.h"
#include "energy/formats/wording.h"
#include "energy/report/report_rows.h"

namespace lmtrain {

std::string to_sci(const ReportedRun& run) {
  const RunFacts& facts = run.facts;
  const Account& account = run.account;
  const double kilowatt_hours = kwh(run.report.cost.facility.joules);
  const double intensity = account.location.grams / kilowatt_hours;
  const double embodied = account.embodied_grams();
  const double total = account.total_grams();
  const std::string pue_source = source_of_pue(run.report, run.people);
  std::string text =
      cat("# Software carbon intensity of training ", model_title(run), "\n\n",
          "SCI = (E x I + M) / R, in the provider's boundary. ", boundary_text(run), "\n\n");
  const auto rate = [&](const char* unit, double amount, double scale) {
    if (amount <= 0) return;
    text += cat("| SCI per ", unit, " | ", three_digits(total / amount * scale), " gCO2e |\n");
  };
  text += "| | |\n| --- | --- |\n";
  rate("million tokens", static_cast<double>(facts.tokens), 1e6);
  rate("million parameters", static_cast<double>(facts.num_parameters), 1e6);
  rate("petaFLOP", facts.flops, 1e15);
  text += cat("| E, energy of the facility | ", significant_text(kilowatt_hours, 6), " kWh |\n");
  text +=
      cat("| I, location-based | ",
          run.report.one_price() != nullptr ? "" : significant_text(intensity, 6) + " gCO2e/kWh: ",
          grid_text(run), " |\n");
  text += cat("| E x I | ", emissions_range_text(account.location), " CO2e |\n");
  text += cat("| M, embodied | ", emissions_text(embodied), " CO2e |\n");
  text += cat("| E x I + M | ", emissions_text(total), " CO2e |\n");
  text += cat("| R | tokens, because the work of training is proportional to them; ",
              with_commas(facts.tokens), " |\n");
  text += cat("| Place | ",
              run.people.site.empty() ? "not given (report.site)" : markdown_cell(run.people.site),
              " |\n");
  text +=
      cat("| Source of the PUE | ",
          pue_source.empty() ? "not given (report.pue_source)" : markdown_cell(pue_source), " |\n");
  if (facts.inherited) {
    text += cat("| Not included | the making of ", facts.inherited->checkpoint, ", ",
                energy_text(facts.inherited->joules), " |\n");
  }
  text +=
      "\nM = the emissions of making x the time of use / the lifetime of " +
      shortest(account.lifetime_years) +
      " years:\n\n| hardware | days of use (of shared servers this job's part) | making, kgCO2e each | share, gCO2e | source |\n| --- | --- | --- | --- | --- |\n";
  for (const EmbodiedPart& part : account.embodied) {
    text +=
        cat("| ", part.count, " x ", part.what, " | ", three_digits(part.device_days), " | ",
            shortest(part.kg_each), " | ", three_digits(part.grams), " | ", part.source, " |\n");
  }
  text += cat("\nMarket instruments and offsets are not subtracted",
              account.market_grams
                  ? cat("; market-based (", account.market_how, ") the electricity would be ",
                        emissions_text(*account.market_grams), " CO2e")
                  : "",
              account.offsets_grams > 0
                  ? cat("; offsets that were bought: ", emissions_text(account.offsets_grams))
                  : "",
              account.captured_grams > 0
                  ? cat("; carbon that was captured: ", emissions_text(account.captured_grams))
                  : "",
              ".\n\n", method_text(run), "\n");
  return text;
}

}  // namespace lmtrain

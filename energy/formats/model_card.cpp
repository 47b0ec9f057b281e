// Hugging Face's model card: metadata with co2_eq_emissions (grams), and a section for people.
#include "base/config_value.h"
#include "base/text.h"
#include "energy/amount_text.h"
#include "energy/formats/wording.h"
#include "energy/report/report_rows.h"

namespace lmtrain {

std::string to_model_card(const ReportedRun& run) {
  return cat("---\n", card_metadata(run, run.facts.inherited.has_value()), "---\n# ",
             model_title(run), "\n\n", environmental_impact(run));
}

std::string card_metadata(const ReportedRun& run, bool is_tuned) {
  const EnergyPrice* const price = run.report.one_price();
  std::string text;
  if (!run.people.licence.empty())
    text += cat("license: ", yaml_text(in_lower_case(run.people.licence)), "\n");
  return text +
         cat("co2_eq_emissions:\n  emissions: ",
             shortest(significant(run.account.location.grams, 6)), "\n  source: ",
             yaml_text(cat("lmtrain's power logger, ", fixed(100 * run.report.measured_share, 0),
                           "% measured, location-based, with PUE")),
             "\n  training_type: ", is_tuned ? "fine-tuning" : "pre-training",
             "\n  geographical_location: ",
             yaml_text(price != nullptr ? price->grid.name : "several"),
             "\n  hardware_used: ", yaml_text(hardware_text(run)), "\n");
}

std::string environmental_impact(const ReportedRun& run) {
  const RunFacts& facts = run.facts;
  const Account& account = run.account;
  std::string text = "## Environmental impact\n\n| | |\n| --- | --- |\n";
  text += cat("| Energy of the computers | ", energy_range_text(run.report.energy), " |\n");
  text += cat("| Energy of the facility | ", energy_range_text(run.report.cost.facility), " |\n");
  text += cat("| Emissions of the electricity, location-based, gross | ",
              emissions_range_text(account.location), " CO2e |\n");
  if (account.market_grams)
    text += cat("| Market-based (", markdown_cell(account.market_how), ") | ",
                emissions_text(*account.market_grams), " CO2e |\n");
  if (account.offsets_grams > 0)
    text += cat("| Offsets, not subtracted | ", emissions_text(account.offsets_grams), " CO2e |\n");
  if (account.captured_grams > 0)
    text += cat("| Carbon captured, not subtracted | ", emissions_text(account.captured_grams),
                " CO2e |\n");
  text += cat("| Making of the hardware, this run's share | ",
              emissions_text(account.embodied_grams()), " CO2e |\n");
  if (account.water_litres)
    text += cat("| Water of cooling | ", three_digits(*account.water_litres), " l |\n");
  text += cat("| PUE | ", significant_text(pue_of(run), 3), " |\n| Grid | ", grid_text(run),
              " |\n| Hardware | ", hardware_text(run), " |\n| Time | ",
              human_duration(run.report.seconds), ", ", significant_text(account.device_days, 3),
              account.has_gpus ? " accelerator-days" : " node-days", " |\n");
  text += cat("| Tokens | ", with_commas(facts.tokens), " |\n");
  if (facts.flops > 0)
    text += cat("| Computation | ", significant_text(facts.flops / 1e15, 3), " PFLOP |\n");
  return text + cat("\n", method_text(run), " ", boundary_text(run), "\n");
}

}  // namespace lmtrain

// What the European Union asks of providers of general-purpose AI models about training: AI Act,
// Annex XI section 1, 2(d) and 2(e), for the Code of Practice's Model Documentation Form.
#include "base/text.h"
#include "energy/amount_text.h"
#include "energy/formats/wording.h"
#include "energy/report/report_rows.h"

namespace lmtrain {
namespace {

// From which a model counts as general-purpose (the Commission's guidelines of 2025), and from
// which it is presumed to have systemic risk (AI Act, article 51).
constexpr double kGeneralPurposeFlops = 1e23;
constexpr double kSystemicRiskFlops = 1e25;

std::string or_missing(const std::string& text, const char* key) {
  return text.empty() ? cat("**missing**: only people know it; set ", key) : text;
}

std::string row(const std::string& item, const std::string& value) {
  return cat("| ", item, " | ", markdown_cell(value), " |\n");
}

std::string scientific(double value, int digits) {
  std::ostringstream text;
  text.precision(digits - 1);
  text << std::scientific << value;
  return text.str();
}

}  // namespace

std::string to_gpai(const ReportedRun& run) {
  const RunFacts& facts = run.facts;
  const Account& account = run.account;
  const ReportConfig& people = run.people;
  const std::string pue_source = source_of_pue(run.report, people);
  const double mwh = kwh(run.report.energy.joules) / 1000;
  const double facility_mwh = kwh(run.report.cost.facility.joules) / 1000;
  std::string text = cat(
      "# Training of ", model_name(run), ": computation and energy\n\n",
      "For the Model Documentation Form of the General-Purpose AI Code of Practice (AI Act, Annex XI, "
      "section 1, points 2(d) and 2(e)). Other parts of that form, such as dates of release and channels of "
      "distribution, are not of training and are not here.\n\n| Item | Value |\n| --- | --- |\n");
  text += row("Provider", or_missing(people.publisher, "report.publisher"));
  text += row("Contact", or_missing(people.contact, "report.contact"));
  text += row("Model", model_name(run));
  text += row("Licence", or_missing(people.licence, "report.licence"));
  text += row("Architecture", architecture_text(run));
  text +=
      row("Total parameters", facts.num_parameters > 0
                                  ? cat(scientific(static_cast<double>(facts.num_parameters), 2),
                                        " (", with_commas(facts.num_parameters), ")")
                                  : "**missing**: the run did not begin to train");
  text += row("Evidence of provenance, SHA-256",
              run.weights_sha256.empty()
                  ? "**missing**: the run has no checkpoint"
                  : cat(run.weights_sha256, " (", run.weights, ", ",
                        run.is_exported ? "the exported weights"
                                        : "the checkpoint's files: weights and optimizer state",
                        ")"));
  text += row("Training time, wall clock", cat(human_duration(run.report.seconds), ", from ",
                                               begin_text(run), " to ", end_text(run)));
  text += row("Training time, hardware days",
              cat(significant_text(account.device_days, 3),
                  account.has_gpus ? " accelerator-days" : " node-days (no accelerator)"));
  text += row("Hardware", hardware_text(run));
  text += row("Place", or_missing(people.site, "report.site"));
  text += row("Amount of computation of training", cat(scientific(facts.flops, 3), " FLOP"));
  text += row("How it was estimated", flops_text());
  text += row("Against the thresholds",
              cat(facts.flops >= kGeneralPurposeFlops ? "at or above" : "below",
                  " 1e23 FLOP (general-purpose), ",
                  facts.flops >= kSystemicRiskFlops ? "at or above" : "below",
                  " 1e25 FLOP (systemic risk), by this run alone"));
  text += row("Tokens of training", with_commas(facts.tokens));
  text +=
      row("Model dependencies",
          facts.inherited ? cat("begun from ", facts.inherited->checkpoint, ", whose making took ",
                                significant_text(kwh(facts.inherited->joules) / 1000, 2),
                                " MWh, not included here")
                          : "none: trained from randomly initialised weights");
  if (facts.has_lost_energy) {
    text += row("Energy of training", "N/A: a part of the meters' record was lost");
  } else {
    text += row("Energy of training, computers",
                cat(significant_text(mwh, 2), " MWh (",
                    significant_text(kwh(run.report.energy.low) / 1000, 2), " to ",
                    significant_text(kwh(run.report.energy.high) / 1000, 2), ")"));
    text += row(
        "Energy of training, facility",
        cat(significant_text(facility_mwh, 2), " MWh (",
            significant_text(kwh(run.report.cost.facility.low) / 1000, 2), " to ",
            significant_text(kwh(run.report.cost.facility.high) / 1000, 2), "), PUE ",
            significant_text(pue_of(run), 3), " (",
            pue_source.empty() ? "**missing**: its source, report.pue_source" : pue_source, ")"));
  }
  text += row("Method", method_text(run));
  text += row("Boundary", boundary_text(run));
  if (facts.tokens > 0) {
    // Each product of a forward pass has two in the backward pass.
    const double forward = facts.flops / static_cast<double>(facts.tokens) / 3;
    text += row("Computation of inference, benchmarked",
                cat("**missing**: benchmark a task; reading a token takes ", scientific(forward, 3),
                    " FLOP (a forward pass of training's sequences)"));
  }
  text += row("Emissions of the electricity, location-based, gross",
              cat(emissions_range_text(account.location), " CO2e; grid ", grid_text(run)));
  if (account.market_grams)
    text += row("Emissions of the electricity, market-based",
                cat(emissions_text(*account.market_grams), " CO2e, ", account.market_how));
  text += row("Embodied emissions, this run's share",
              emissions_text(account.embodied_grams()) + " CO2e");
  return text;
}

}  // namespace lmtrain

// Config section `report`: what a report to others needs and only people know.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config_fields.h"

namespace lmtrain {

enum class Confidentiality { kPublic, kInternal, kConfidential, kSecret };
constexpr auto choice_names(Confidentiality) {
  return std::to_array<std::string_view>({"public", "internal", "confidential", "secret"});
}

enum class Infrastructure { kPublicCloud, kPrivateCloud, kOnPremise, kOther };
constexpr auto choice_names(Infrastructure) {
  return std::to_array<std::string_view>({"public_cloud", "private_cloud", "on_premise", "other"});
}

struct ReportConfig {
  std::string publisher;
  std::string contact;
  std::string licence;
  std::string model;
  std::string architecture;
  std::vector<std::string> languages;
  std::string intended_use;
  std::string limits;
  std::string site;
  std::string energy_provider;
  std::string cloud_provider;
  std::string cloud_region;
  Confidentiality confidentiality = Confidentiality::kInternal;
  Infrastructure infrastructure = Infrastructure::kOther;
  std::string pue_source;
  std::optional<double> market_g_per_kwh;
  std::string market_source;
  double offsets_kg_co2e = 0.0;
  double captured_kg_co2e = 0.0;
  std::optional<double> water_l_per_kwh;
  std::optional<double> server_embodied_kg_co2e;
  std::optional<double> device_embodied_kg_co2e;
  double lifetime_years = 4.0;

  void describe(Fields& f) {
    f.text("publisher", publisher, "Who publishes the model and answers for the report.");
    f.text("contact", contact, "An address for questions.");
    f.text("licence", licence, "Licence of the model, best as SPDX names it (Apache-2.0).");
    f.text("model", model, "Name of the model; run.name where it is empty.");
    f.text("architecture", architecture,
           "The architecture in about twenty words; its sizes where it is empty.");
    f.texts("languages", languages, "Languages of the text, by their codes (en, de).");
    f.text("intended_use", intended_use, "What the model is for, and what it is not for.");
    f.text("limits", limits, "What is known to go wrong with it, and for whom.");
    f.text("site", site, "Where the computers stand, such as the data centre's name.");
    f.text("energy_provider", energy_provider, "Who delivers the electricity.");
    f.text("cloud_provider", cloud_provider, "The cloud, if it is one.");
    f.text("cloud_region", cloud_region, "Its region, as the provider names it.");
    f.choice("confidentiality", confidentiality, "Who may read the report.");
    f.choice("infrastructure", infrastructure, "Whose computers they are.");
    f.text("pue_source", pue_source, "Where energy.pue is from, such as the operator's report.");
    f.optional_real("market_g_per_kwh", market_g_per_kwh, {.min = 0.0, .max = 5000.0}, "none",
                    "Carbon intensity of the electricity by contracts, in gCO2e/kWh: market-based "
                    "emissions are reported beside the location-based ones.");
    f.text("market_source", market_source,
           "The contract behind it and its year, such as guarantees of origin or a power purchase "
           "agreement.");
    f.real(
        "offsets_kg_co2e", offsets_kg_co2e, {.min = 0.0, .max = 1e12},
        "Offsets that were bought for the run, in kgCO2e. They have a line of their own and are never "
        "subtracted.");
    f.real("captured_kg_co2e", captured_kg_co2e, {.min = 0.0, .max = 1e12},
           "Carbon that was captured for the run, in kgCO2e; as offsets.");
    f.optional_real("water_l_per_kwh", water_l_per_kwh, {.min = 0.0, .max = 100.0}, "none",
                    "Water that cooling takes for each kWh of the computers, in litres (WUE).");
    f.optional_real(
        "server_embodied_kg_co2e", server_embodied_kg_co2e, {.min = 0.0, .max = 1e6}, "auto",
        "Emissions of making one server without its accelerators, in kgCO2e; auto takes a "
        "published one (docs/reporting.md).");
    f.optional_real("device_embodied_kg_co2e", device_embodied_kg_co2e, {.min = 0.0, .max = 1e6},
                    "auto",
                    "Emissions of making one accelerator, in kgCO2e; auto takes a published one.");
    f.real("lifetime_years", lifetime_years, {.min = 0.1, .max = 30.0},
           "How long the hardware is used; a run has a share of its making by its time.");
  }
};

}  // namespace lmtrain

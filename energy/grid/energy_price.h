// What the energy of an attempt costs in emissions. Each attempt keeps its own price in the ledger,
// since a run may go on in another place, or at another hour.
#pragma once

#include <nlohmann/json.hpp>

#include "energy/energy_config.h"
#include "energy/grid/carbon_intensity.h"

namespace lmtrain {

struct EnergyPrice {
  double pue = 1.0;
  GridIntensity grid;
  // Whether nobody said so: the default of the config stands there, which a report must tell.
  bool is_pue_assumed = false;
  bool is_grid_assumed = false;

  // gCO2e for each joule metered at the computers.
  double grams_per_joule() const { return pue * grid.g_per_kwh / 3.6e6; }
};

bool operator==(const EnergyPrice& a, const EnergyPrice& b);

// The price by these settings. Throws ConfigError for an unknown region.
EnergyPrice price_of(const EnergyConfig& config);

// Another price for a run that has been priced: what is set here replaces what each attempt had.
struct Repricing {
  std::optional<double> pue;
  std::optional<GridIntensity> grid;

  bool changes_anything() const { return pue || grid; }
};
EnergyPrice repriced(EnergyPrice price, const Repricing& by);

nlohmann::json price_to_json(const EnergyPrice& price);
// Throws DataError.
EnergyPrice price_from_json(const nlohmann::json& value);

}  // namespace lmtrain

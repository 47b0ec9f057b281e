// What the energy of an attempt costs in emissions. Each attempt keeps its own price in the ledger,
// since a run may go on in another place, or at another hour.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "energy/energy_config.h"
#include "energy/grid/carbon_intensity.h"
#include "energy/grid/intensity_series.h"

namespace lmtrain {

struct EnergyPrice {
  double pue = 1.0;
  GridIntensity grid;
  // What the intensity over time comes from (IntensitySeries::source); "" where one number counts
  // for all hours. `grid` is what counts where it says nothing.
  std::string series;
  std::string pue_source;  // who publishes the PUE, where the config does not set it; "" else
  // Whether nobody said so: a default stands there, which a report must tell.
  bool is_pue_assumed = false;
  bool is_grid_assumed = false;

  // gCO2e for each joule metered at the computers.
  double grams_per_joule() const { return pue * grid.g_per_kwh / 3.6e6; }
};

// "PUE 1.09 (published for gcp:europe-west4)", "PUE 1 (assumed)".
std::string pue_text(const EnergyPrice& price);

bool operator==(const EnergyPrice& a, const EnergyPrice& b);

// The price by these settings; the PUE of a cloud's region is what its provider publishes unless
// they set another one. Throws ConfigError for an unknown region.
EnergyPrice price_of(const EnergyConfig& config);

// The series of price_file(); null without one. Throws ConfigError naming the key.
std::shared_ptr<const IntensitySeries> series_of(const EnergyConfig& config);

// Another price for a run that has been priced: what is set here replaces what each attempt had.
struct Repricing {
  std::optional<double> pue;
  bool takes_pue_of_grid = false;  // also where the config had set one (energy.pue=auto)
  std::optional<GridIntensity> grid;
  std::shared_ptr<const IntensitySeries> series;  // null: none

  bool changes_anything() const { return pue || grid || series; }
};
// Another grid brings its own PUE, unless the config had set one.
EnergyPrice repriced(EnergyPrice price, const Repricing& by);

// The file that energy.schedule goes by; "" without one.
inline const std::string& pause_file(const EnergyConfig& config) {
  return config.schedule.intensity.empty() ? config.intensity_file : config.schedule.intensity;
}

nlohmann::json price_to_json(const EnergyPrice& price);
// Throws DataError.
EnergyPrice price_from_json(const nlohmann::json& value);

}  // namespace lmtrain

// Carbon intensity of the electricity: yearly averages of countries, over the life cycle of the
// plants (Ember, energy/grid/carbon_intensity.csv), and of states, provinces, grid regions and
// regions of clouds (energy/grid/regions.csv).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "energy/energy_config.h"

namespace lmtrain {

struct GridIntensity {
  // ISO 3166 alpha-3; a name like WORLD or EU27; ISO 3166-2 ("US-CA"); "egrid:CAMX",
  // "cngrid:north"; "gcp:europe-west4", "aws:us-east-1", "azure:westeurope"; "" for the user's own
  // number.
  std::string code;
  std::string iso2;  // ISO 3166 alpha-2; "" for groups of countries
  std::string name;
  double g_per_kwh = 0;  // gCO2e per kWh generated, above 0
  int year = 0;          // 0 for the user's own number
  std::string source;
  bool is_direct = false;  // what the plants emit alone, without the rest of their life cycle
  double pue = 0;          // that a cloud's provider publishes; 0: none
};

// Whether it is the average of a country or a group of countries, which contains the life cycle of
// the plants.
bool is_national(const GridIntensity& grid);

// All known countries and regions by code; the table is compiled in.
const std::vector<GridIntensity>& carbon_table();

// The entry whose code or iso2 is `region`, in any case of letters. Throws ConfigError naming
// energy.region and the nearest entry when there is none.
const GridIntensity& find_grid_intensity(std::string_view region);

// The intensity that a run with this config counts with: its own number if it is set, else that of
// its region. An unknown region is refused in both cases.
GridIntensity grid_intensity(const EnergyConfig& config);

// "473 gCO2e/kWh, World, 2024 (Ember)".
std::string describe(const GridIntensity& grid);

}  // namespace lmtrain

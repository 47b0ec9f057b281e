// Carbon intensity of the electricity of countries and regions. The figures are yearly averages
// over the life cycle of the plants, from Ember's Yearly Electricity Data (CC BY 4.0;
// energy/grid/carbon_intensity.csv).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "energy/energy_config.h"

namespace lmtrain {

struct GridIntensity {
  std::string code;  // ISO 3166 alpha-3, a name like WORLD or EU27, or "" for the user's own number
  std::string iso2;  // ISO 3166 alpha-2; "" for groups of countries
  std::string name;
  double g_per_kwh;  // gCO2e per kWh generated, above 0
  int year;          // 0 for the user's own number
  std::string source;
};

// All known countries and regions by code; the table is compiled in.
const std::vector<GridIntensity>& carbon_table();

// The entry whose code or iso2 is `region`, in any case. Throws ConfigError naming energy.region
// and the nearest entry when there is none.
const GridIntensity& find_grid_intensity(std::string_view region);

// The intensity that a run with this config counts with: its own number if it is set, else that of
// its region. An unknown region is refused in both cases.
GridIntensity grid_intensity(const EnergyConfig& config);

// "473 gCO2e/kWh, World, 2024 (Ember)".
std::string describe(const GridIntensity& grid);

}  // namespace lmtrain

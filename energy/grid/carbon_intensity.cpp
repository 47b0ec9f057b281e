#include "energy/grid/carbon_intensity.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "energy/json_fields.h"

namespace lmtrain {
namespace {

std::string code_and_name(const GridIntensity& grid) {
  return cat(grid.code, " (", grid.name, ")");
}

// What `wanted` may stand for: the country with that name or beginning of a name, else the nearest
// code, else "".
std::string suggestion(const std::string& wanted) {
  std::vector<std::string> names;
  std::vector<std::string> codes;
  for (const GridIntensity& grid : carbon_table()) {
    names.push_back(in_upper_case(grid.name));
    codes.push_back(in_upper_case(grid.code));
  }
  const auto entry = [](const std::vector<std::string>& keys, const std::string& key) {
    const auto at = std::find(keys.begin(), keys.end(), key) - keys.begin();
    return code_and_name(carbon_table()[static_cast<size_t>(at)]);
  };
  if (wanted == "UK") return entry(codes, "GBR");
  if (wanted.find(':') != std::string::npos) {  // of a cloud
    const std::string code = nearest_name(wanted, codes);
    if (!code.empty()) return entry(codes, code);
  }
  const std::string name = nearest_name(wanted, names);
  if (!name.empty()) return entry(names, name);
  if (wanted.size() >= 3) {
    const auto starts = [&](const std::string& text) { return text.starts_with(wanted); };
    const auto at = std::find_if(names.begin(), names.end(), starts);
    if (at != names.end()) return entry(names, *at);
  }
  const std::string code = nearest_name(wanted, codes);
  return code.empty() ? "" : entry(codes, code);
}

}  // namespace

bool is_national(const GridIntensity& grid) {
  return !grid.code.empty() && grid.code.find_first_of(":-") == std::string::npos;
}

const GridIntensity& find_grid_intensity(std::string_view region) {
  const std::string wanted = in_upper_case(region);
  for (const GridIntensity& grid : carbon_table()) {
    if (!wanted.empty() && (wanted == in_upper_case(grid.code) || wanted == grid.iso2)) return grid;
  }
  const std::string near = wanted.empty() ? "" : suggestion(wanted);
  throw ConfigError(cat("energy.region: no carbon intensity is known for \"", region, "\"",
                        near.empty() ? "" : cat(", did you mean ", near, "?"),
                        near.empty() ? ";" : "",
                        " (use an ISO 3166 code like DEU, DE or US-CA, a region of a cloud like "
                        "gcp:europe-west4, or WORLD; lmtrain doctor lists them. "
                        "For another grid, use WORLD and set energy.intensity_g_per_kwh)"));
}

GridIntensity grid_intensity(const EnergyConfig& config) {
  const GridIntensity& grid = find_grid_intensity(config.region);
  if (!config.intensity_g_per_kwh) return grid;
  GridIntensity own = {
      "", "", "as configured", *config.intensity_g_per_kwh, 0, "energy.intensity_g_per_kwh"};
  own.pue = grid.pue;
  return own;
}

std::string describe(const GridIntensity& grid) {
  const std::string year = grid.year == 0 ? "" : cat(", ", grid.year);
  return cat(shortest(rounded(grid.g_per_kwh, 3)), " gCO2e/kWh", grid.is_direct ? " (direct)" : "",
             ", ", grid.name, year, " (", grid.source, ")");
}

}  // namespace lmtrain

#include "energy/grid/energy_price.h"

#include "energy/grid/price_file.h"
#include "energy/json_fields.h"

namespace lmtrain {
namespace {

// For one that nobody has set.
void take_pue_of_grid(EnergyPrice& price) {
  const GridIntensity& region = price.grid;
  price.is_pue_assumed = region.pue == 0;
  price.pue = price.is_pue_assumed ? 1.0 : region.pue;
  price.pue_source = price.is_pue_assumed
                         ? ""
                         : cat("published for ", region.code.empty() ? "the region" : region.code);
}

}  // namespace

std::string pue_text(const EnergyPrice& price) {
  const std::string remark = price.is_pue_assumed ? "assumed" : price.pue_source;
  return cat("PUE ", shortest(price.pue), remark.empty() ? "" : cat(" (", remark, ")"));
}

bool operator==(const EnergyPrice& a, const EnergyPrice& b) {
  return a.pue == b.pue && a.grid.g_per_kwh == b.grid.g_per_kwh && a.grid.code == b.grid.code &&
         a.series == b.series;
}

EnergyPrice price_of(const EnergyConfig& config) {
  EnergyPrice price = {.grid = grid_intensity(config), .series = "", .pue_source = ""};
  if (config.pue) {
    price.pue = *config.pue;
  } else {
    take_pue_of_grid(price);
  }
  return price;
}

std::shared_ptr<const IntensitySeries> series_of(const EnergyConfig& config) {
  const std::string& file = price_file(config);
  if (file.empty()) return nullptr;
  try {
    return std::make_shared<const IntensitySeries>(IntensitySeries::load(file));
  } catch (const Error& error) {
    throw ConfigError(cat(
        config.intensity_file.empty() ? "energy.schedule.intensity: " : "energy.intensity_file: ",
        error.what()));
  }
}

EnergyPrice repriced(EnergyPrice price, const Repricing& by) {
  if (by.pue) {
    price.pue = *by.pue;
    price.pue_source.clear();
    price.is_pue_assumed = false;
  }
  if (by.grid) {
    const bool nobody_set_pue = price.is_pue_assumed || !price.pue_source.empty();
    price.grid = *by.grid;
    price.is_grid_assumed = false;
    price.series.clear();
    const bool has_region = !price.grid.code.empty() || price.grid.pue > 0;
    if (!by.pue && has_region && (nobody_set_pue || by.takes_pue_of_grid)) take_pue_of_grid(price);
  }
  if (by.series) price.series = by.series->source();
  return price;
}

nlohmann::json price_to_json(const EnergyPrice& price) {
  nlohmann::json value = {{"pue", price.pue},
                          {"pue_assumed", price.is_pue_assumed},
                          {"g_per_kwh", price.grid.g_per_kwh},
                          {"code", price.grid.code},
                          {"name", price.grid.name},
                          {"year", price.grid.year},
                          {"source", price.grid.source},
                          {"grid_assumed", price.is_grid_assumed}};
  if (!price.series.empty()) value["series"] = price.series;
  if (!price.pue_source.empty()) value["pue_source"] = price.pue_source;
  if (price.grid.is_direct) value["direct"] = true;
  return value;
}

EnergyPrice price_from_json(const nlohmann::json& value) {
  EnergyPrice price;
  price.pue = number_field(value, "pue");
  price.is_pue_assumed = boolean_field(value, "pue_assumed");
  price.grid = {text_field(value, "code"),
                "",
                text_field(value, "name"),
                number_field(value, "g_per_kwh"),
                static_cast<int>(integer_field(value, "year")),
                text_field(value, "source")};
  price.is_grid_assumed = boolean_field(value, "grid_assumed");
  if (value.contains("series")) price.series = text_field(value, "series");
  if (value.contains("pue_source")) price.pue_source = text_field(value, "pue_source");
  price.grid.is_direct = value.contains("direct") && boolean_field(value, "direct");
  const bool is_possible = price.pue >= 1.0 && price.pue <= 10.0 && price.grid.g_per_kwh >= 0.0 &&
                           price.grid.g_per_kwh <= 5000.0;
  if (!is_possible) throw DataError("a price has a PUE or an intensity that cannot be");
  return price;
}

}  // namespace lmtrain

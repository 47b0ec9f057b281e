#include "energy/amount_text.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

#include "base/text.h"

namespace lmtrain {
namespace {

struct Unit {
  const char* name;
  double size;
};

// The largest unit that is not above `value`, else the first.
Unit unit_for(double value, const std::vector<Unit>& units) {
  Unit best = units.front();
  for (const Unit& unit : units) {
    if (value >= unit.size) best = unit;
  }
  return best;
}
Unit energy_unit(double joules) {
  return unit_for(joules, {{"J", 1.0}, {"Wh", 3.6e3}, {"kWh", 3.6e6}, {"MWh", 3.6e9}});
}
Unit mass_unit(double grams) {
  return unit_for(grams, {{"mg", 1e-3}, {"g", 1.0}, {"kg", 1e3}, {"t", 1e6}});
}

std::string with_unit(double value, const Unit& unit) {
  return cat(three_digits(value / unit.size), " ", unit.name);
}

std::string range_text(double value, double low, double high, const Unit& unit) {
  return cat(with_unit(value, unit), " (", three_digits(low / unit.size), " to ",
             three_digits(high / unit.size), ")");
}

}  // namespace

std::string three_digits(double value) {
  if (std::abs(value) >= 1e15) {  // beyond what has a unit
    std::ostringstream text;
    text.precision(2);
    text << std::scientific << value;
    return text.str();
  }
  if (value == 0.0 || !std::isfinite(value)) return "0";
  const int magnitude = static_cast<int>(std::floor(std::log10(std::abs(value))));
  if (magnitude >= 3) return with_commas(std::llround(value));
  return fixed(value, std::clamp(2 - magnitude, 0, 12));
}

std::string energy_text(double joules) { return with_unit(joules, energy_unit(joules)); }
std::string energy_range_text(const EnergyRange& energy) {
  return range_text(energy.joules, energy.low, energy.high, energy_unit(energy.joules));
}

std::string emissions_text(double grams) { return with_unit(grams, mass_unit(grams)); }
std::string emissions_range_text(const EmissionsRange& emissions) {
  return range_text(emissions.grams, emissions.low, emissions.high, mass_unit(emissions.grams));
}

}  // namespace lmtrain

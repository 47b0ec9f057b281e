// Energies and masses for people: three digits and the unit that suits.
#pragma once

#include <string>

#include "energy/energy_range.h"

namespace lmtrain {

// A number to three significant digits; with a power of ten from 1e15 on.
std::string three_digits(double value);

std::string energy_text(double joules);  // "12.3 Wh"
// "12.3 Wh (6.10 to 25.0)".
std::string energy_range_text(const EnergyRange& energy);

std::string emissions_text(double grams);  // "0.123 g"
std::string emissions_range_text(const EmissionsRange& emissions);

}  // namespace lmtrain

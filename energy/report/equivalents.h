// What an energy and its emissions amount to in things that people know, each with its source.
#pragma once

#include <string>

namespace lmtrain {

// "heats 0.107 l of water from 20 to 100 °C (0.0930 kWh a litre)"; "burning 1.23 l of petrol (2.35
// kg CO2 a litre, US EPA) or driving 11.6 km (250 g a km, ...)".
std::string energy_equivalent(double joules);
std::string emissions_equivalent(double grams);

}  // namespace lmtrain

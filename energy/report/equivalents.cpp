#include "energy/report/equivalents.h"

#include "base/text.h"
#include "energy/amount_text.h"

namespace lmtrain {
namespace {

// The heat capacity of water, 4.186 kJ for a kilogram and kelvin, times 80 K.
constexpr double kJoulesOfLitre = 334.9e3;
// US EPA, Greenhouse Gas Equivalencies: 8,887 g CO2 from a gallon of petrol; US EPA, Greenhouse Gas
// Emissions from a Typical Passenger Vehicle: 400 g a mile.
constexpr double kGramsOfPetrolLitre = 8887 / 3.785412;
constexpr double kGramsOfKilometre = 400 / 1.609344;

std::string small_or_large(double value, const char* small, double factor, const char* large) {
  return value < 1 ? cat(three_digits(value * factor), " ", small)
                   : cat(three_digits(value), " ", large);
}

}  // namespace

std::string energy_equivalent(double joules) {
  return cat("heating ", small_or_large(joules / kJoulesOfLitre, "ml", 1000, "l"),
             " of water from 20 to 100 °C (", three_digits(kJoulesOfLitre / 3.6e6),
             " kWh a litre)");
}

std::string emissions_equivalent(double grams) {
  return cat("burning ", small_or_large(grams / kGramsOfPetrolLitre, "ml", 1000, "l"),
             " of petrol (", three_digits(kGramsOfPetrolLitre / 1000),
             " kg CO2 a litre, US EPA), or ",
             small_or_large(grams / kGramsOfKilometre, "m", 1000, "km"), " by a typical car (",
             three_digits(kGramsOfKilometre), " g a km, US EPA)");
}

}  // namespace lmtrain

// What a run has spent over its attempts, held against the limits of energy.budget.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "energy/energy_config.h"

namespace lmtrain {

struct EmissionsReport;

// Consists of words (parallel/typed_gather.h).
struct Spending {
  double facility_joules = 0;  // of the computers, times PUE
  double grams = 0;            // CO2e, location-based
  double seconds = 0;
  double device_seconds = 0;  // of accelerators or, without any, of nodes

  void add(const Spending& more);
};

// Of all attempts before this one.
Spending spending_of(const EmissionsReport& report,
                     int64_t before_attempt = std::numeric_limits<int64_t>::max());

// A limit of energy.budget that is set.
struct BudgetUse {
  std::string key;  // "energy.budget.kwh"
  double limit = 0;
  double spent = 0;
  std::string unit;  // "kWh"

  double share() const { return spent / limit; }
};

std::vector<BudgetUse> budget_use(const EnergyConfig& config, const Spending& spending);

// In energy.currency, by its prices.
double money_of(const EnergyConfig& config, const Spending& spending);

// "energy.budget.kwh = 0.5: 0.41 kWh, 82% spent".
std::string describe(const BudgetUse& use);

}  // namespace lmtrain

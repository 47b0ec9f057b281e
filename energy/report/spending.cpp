#include "energy/report/spending.h"

#include <map>

#include "base/text.h"
#include "energy/amount_text.h"
#include "energy/report/report.h"

namespace lmtrain {
namespace {

struct DeviceSeconds {
  double gpus = 0;
  double nodes = 0;
};

}  // namespace

void Spending::add(const Spending& more) {
  facility_joules += more.facility_joules;
  grams += more.grams;
  seconds += more.seconds;
  device_seconds += more.device_seconds;
}

Spending spending_of(const EmissionsReport& report, int64_t before_attempt) {
  Spending sum;
  for (const AttemptEnergy& attempt : report.attempts) {
    if (attempt.attempt >= before_attempt) continue;
    sum.facility_joules += attempt.energy.joules * attempt.price.pue;
    sum.grams += attempt.energy.joules * attempt.price.grams_per_joule();
    sum.seconds += attempt.seconds;
  }
  std::map<int64_t, DeviceSeconds> by_attempt;
  for (const EnergyTotals& totals : report.totals) {
    DeviceSeconds& devices = by_attempt[totals.start.attempt];
    for (const SensorTotals& sensor : totals.sensors)
      devices.gpus += sensor.info.kind == DeviceKind::kGpu ? totals.seconds : 0;
    devices.nodes += totals.start.place.local_rank == 0 ? totals.seconds : 0;
  }
  for (const auto& [attempt, devices] : by_attempt) {
    if (attempt < before_attempt)
      sum.device_seconds += devices.gpus > 0 ? devices.gpus : devices.nodes;
  }
  return sum;
}

double money_of(const EnergyConfig& config, const Spending& spending) {
  return spending.facility_joules / 3.6e6 * config.price_per_kwh +
         spending.device_seconds / 3600 * config.price_per_device_hour;
}

std::vector<BudgetUse> budget_use(const EnergyConfig& config, const Spending& spending) {
  const BudgetConfig& budget = config.budget;
  std::vector<BudgetUse> uses;
  const auto add = [&](const char* name, const std::optional<double>& limit, double spent,
                       const std::string& unit) {
    if (limit) uses.push_back({cat("energy.budget.", name), *limit, spent, unit});
  };
  add("kwh", budget.kwh, spending.facility_joules / 3.6e6, "kWh");
  add("kgco2e", budget.kgco2e, spending.grams / 1000, "kgCO2e");
  add("hours", budget.hours, spending.seconds / 3600, "h");
  add("money", budget.money, money_of(config, spending), config.currency);
  return uses;
}

std::string describe(const BudgetUse& use) {
  return cat(use.key, " = ", shortest(use.limit), ": ", three_digits(use.spent), " ", use.unit,
             ", ", fixed(100 * use.share(), 0), "% spent");
}

}  // namespace lmtrain

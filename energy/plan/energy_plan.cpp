#include "energy/plan/energy_plan.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "energy/report/spending.h"

namespace lmtrain {
namespace {

constexpr double kJoulesOfKwh = 3.6e6;
constexpr double kSecondsOfDay = 86400;

// The mean of a series over what it tells of `seconds` from `begin` on, and which share that is.
std::pair<double, double> mean_within(const IntensitySeries& series, double begin, double seconds) {
  double sum = 0;
  double told = 0;
  for (const IntensitySeries::Span& span : series.spans()) {
    const double of_span = std::min(span.end, begin + seconds) - std::max(span.begin, begin);
    if (of_span <= 0) continue;
    sum += span.g_per_kwh * of_span;
    told += of_span;
  }
  return told > 0 ? std::pair(sum / told, told / seconds) : std::pair(0.0, 0.0);
}

}  // namespace

Estimate operator*(const Estimate& a, const Estimate& b) {
  return {a.value * b.value, a.low * b.low, a.high * b.high};
}
Estimate operator+(const Estimate& a, const Estimate& b) {
  return {a.value + b.value, a.low + b.low, a.high + b.high};
}
Estimate operator*(const Estimate& a, double factor) {
  return {a.value * factor, a.low * factor, a.high * factor};
}
Estimate estimate(double value, double low_share, double high_share) {
  return {value, value * low_share, value * high_share};
}

double EnergyPlan::embodied_kg_co2e() const {
  double grams = 0;
  for (const EmbodiedPart& part : embodied) grams += part.grams;
  return grams / 1000;
}

EnergyPlan plan_energy(const PlannedRun& run, const EnergyConfig& config,
                       const ReportConfig& people) {
  EnergyPlan plan;
  EnergyPrice price = run.price;
  if (run.series) {
    const auto [mean, share] = mean_within(*run.series, run.begins, run.seconds.value);
    if (share > 0) {
      const double g_per_kwh = share * mean + (1 - share) * price.grid.g_per_kwh;
      const std::string rest =
          share < 1 ? cat(", for ", fixed(100 * share, 0), "% of the run; else ", price.grid.name)
                    : "";
      price.grid = {"", "", "mean of the hours" + rest, g_per_kwh, 0, run.series->source()};
    }
  }
  plan.grid = price.grid;
  plan.kwh = run.seconds * run.watts * (1 / kJoulesOfKwh);
  plan.facility_kwh = plan.kwh * price.pue;
  const PriceError error = error_of(price);
  plan.kg_co2e = plan.facility_kwh * (price.grid.g_per_kwh / 1000);
  plan.kg_co2e.low *= error.low;
  plan.kg_co2e.high *= error.high;
  if (people.market_g_per_kwh)
    plan.market_kg_co2e = plan.facility_kwh.value * *people.market_g_per_kwh / 1000;
  if (people.water_l_per_kwh) plan.water_litres = plan.kwh * *people.water_l_per_kwh;

  const double days = run.seconds.value / kSecondsOfDay;
  const auto of_nodes = static_cast<double>(run.num_nodes);
  const auto of_devices = static_cast<double>(run.num_devices);
  const bool has_gpus = run.num_devices > 0;
  plan.embodied.push_back(embodied_part(
      has_gpus ? Hardware::kServerForAccelerators : Hardware::kServer,
      has_gpus ? "server for accelerators" : "server", run.num_nodes, days * of_nodes, people));
  if (has_gpus) {
    plan.embodied.push_back(embodied_part(Hardware::kAccelerator, run.device, run.num_devices,
                                          days * of_devices, people));
  }
  plan.money =
      money_of(config, {.facility_joules = plan.facility_kwh.value * kJoulesOfKwh,
                        .device_seconds = run.seconds.value * (has_gpus ? of_devices : of_nodes)});
  return plan;
}

std::vector<StartHour> start_hours(const IntensitySeries& series, double seconds) {
  std::vector<StartHour> starts;
  for (const IntensitySeries::Span& span : series.spans()) {
    if (const auto mean = series.mean(span.begin, span.begin + seconds))
      starts.push_back({span.begin, *mean});
  }
  std::ranges::stable_sort(starts, {}, &StartHour::g_per_kwh);
  return starts;
}

}  // namespace lmtrain

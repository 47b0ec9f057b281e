#include "trainer/inference/call_energy.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/text.h"
#include "energy/amount_text.h"
#include "energy/ledger/node_share.h"
#include "energy/meters/sensors.h"

namespace lmtrain {
namespace {

// Shorter than in training, since a call may take less than a second.
constexpr double kInterval = 0.1;

}  // namespace

CallEnergy::CallEnergy(const EnergyConfig& config, const RankPlace& place)
    : price_(price_of(config)) {
  PowerLogger::Options options;
  options.interval_seconds = kInterval;
  options.began = monotonic_seconds() - process_age_seconds();
  logger_ = std::make_unique<PowerLogger>(
      choose_sensors(SensorRoots{}, config, static_cast<int>(place.local_rank),
                     std::vector<std::string>(static_cast<size_t>(place.local_size))),
      place, phases_, options);
}

void CallEnergy::begin(Phase work) {
  work_ = work;
  scope_ = std::make_unique<PhaseScope>(phases_, work);
}

bool CallEnergy::is_measured() const {
  const EnergyTotals totals = logger_->totals();
  return !totals.sensors.empty() && std::ranges::all_of(totals.sensors, [](const auto& sensor) {
    return sensor.info.quality == Quality::kMeasured;
  });
}

nlohmann::ordered_json CallEnergy::summary(int64_t num_tokens) {
  read_meters();
  EnergyTotals totals = logger_->totals();
  take_share(totals, node_share(work_of(totals)));
  const double joules = totals.joules_in(work_);
  // A start may be over before the meters are read twice.
  const double of_start = totals.joules() - joules;
  return {{"joules", joules},
          {"startup_joules", of_start > 0 ? nlohmann::ordered_json(of_start) : nullptr},
          {"seconds", totals.phase_seconds[static_cast<size_t>(work_)]},
          {"startup_seconds", totals.phase_seconds[static_cast<size_t>(Phase::kStartup)]},
          {"tokens", num_tokens},
          {"joules_per_token", joules / static_cast<double>(std::max<int64_t>(1, num_tokens))},
          {"grams_co2e", joules * price_.grams_per_joule()},
          {"quality", is_measured() ? "measured" : "modelled"},
          {"pue", price_.pue},
          {"grid", describe(price_.grid)}};
}

std::string CallEnergy::sentence(const nlohmann::ordered_json& summary) {
  const auto number = [&](const char* key) { return summary.at(key).get<double>(); };
  const std::string of_tokens =
      summary.at("tokens") == 0 ? ""
                                : cat(three_digits(number("joules_per_token")), " J per token, ");
  return cat(three_digits(number("joules")), " J in ", three_digits(number("seconds")), " s (",
             summary.at("quality").get<std::string>(), "), ", of_tokens,
             emissions_text(number("grams_co2e")), " CO2e (", summary.at("grid").get<std::string>(),
             "); ",
             summary.at("startup_joules").is_null()
                 ? std::string("the start before that was not read")
                 : cat("before that ", three_digits(number("startup_joules")), " J to start"));
}

}  // namespace lmtrain

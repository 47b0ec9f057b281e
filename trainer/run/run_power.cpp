#include "trainer/run/run_power.h"

#include "base/clock.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/text.h"
#include "energy/grid/price_file.h"
#include "energy/meters/sensors.h"
#include "parallel/typed_gather.h"

namespace lmtrain {

std::unique_ptr<PowerLogger> start_power_logger(const EnergyConfig& config, const RankPlace& place,
                                                const std::vector<std::string>& gpu_of_local_rank,
                                                double began, PhaseTracker& phases) {
  PowerLogger::Options options;
  options.interval_seconds = config.interval_seconds;
  options.began = began;
  return std::make_unique<PowerLogger>(
      choose_sensors(SensorRoots{}, config, static_cast<int>(place.local_rank), gpu_of_local_rank),
      place, phases, options);
}

std::unique_ptr<PowerLogger> start_power_logger(const EnergyConfig& config, const Compute& compute,
                                                double began, PhaseTracker& phases,
                                                Launch& launch) {
  const RankPlace place{launch.rank(),       launch.size(), launch.node(),
                        launch.local_rank(), launch.host(), launch.local_size()};
  const std::vector<std::string> gpus = launch.gather_on_node(compute.device.gpu_selector);
  std::unique_ptr<PowerLogger> logger;
  launch.together([&] { logger = start_power_logger(config, place, gpus, began, phases); });
  return logger;
}

double process_began() { return monotonic_seconds() - process_age_seconds(); }

NextAttempt agree_on_attempt(const RunFolder& folder, Launch& launch) {
  NextAttempt next;
  launch.first_works([&] { next = next_attempt(folder.energy()); });
  next.number = broadcast_from(launch.world(), 0, next.number);
  return next;
}

std::shared_ptr<const IntensitySeries> agree_on_series(const LoadedConfig& loaded, Launch& launch) {
  const std::string& file = price_file(loaded.config.energy);
  if (file.empty()) return nullptr;
  std::string text;
  launch.first_works([&] {
    try {
      series_of(loaded.config.energy);
    } catch (const ConfigError& error) {
      throw ConfigError(cat(
          place_of(loaded, {"energy.intensity_file", "energy.schedule.intensity"}), error.what()));
    }
    text = read_file(file);
  });
  text = broadcast_text(launch.world(), text);
  return std::make_shared<const IntensitySeries>(IntensitySeries::parse(text, file));
}

EnergyPrice price_of_attempt(const LoadedConfig& loaded, const IntensitySeries* series) {
  EnergyPrice price = price_of(loaded.config.energy);
  const auto is_set = [&](const char* key) { return loaded.positions.is_set(key); };
  price.is_grid_assumed = !is_set("energy.region") && !is_set("energy.intensity_g_per_kwh");
  if (series != nullptr) price.series = series->source();
  return price;
}

}  // namespace lmtrain

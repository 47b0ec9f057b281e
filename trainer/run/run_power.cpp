#include "trainer/run/run_power.h"

#include "energy/sensors.h"
#include "parallel/typed_gather.h"

namespace lmtrain {
NextAttempt agree_on_attempt(const RunFolder& folder, Launch& launch) {
  NextAttempt next;
  launch.together([&] {
    if (launch.rank() == 0) next = next_attempt(folder.energy());
  });
  next.number = broadcast_from(launch.world(), 0, next.number);
  return next;
}

std::unique_ptr<PowerLogger> start_power_logger(const EnergyConfig& config, const RunFolder& folder,
                                                const Compute& compute, int64_t attempt,
                                                int64_t first_step, PhaseTracker& phases,
                                                Launch& launch) {
  AttemptStart start;
  start.attempt = attempt;
  start.place = {launch.rank(), launch.size(), launch.node(), launch.local_rank(), launch.host()};
  start.first_step = first_step;
  const std::vector<std::string> gpus = launch.gather_on_node(compute.device.gpu_selector);
  std::unique_ptr<PowerLogger> logger;
  launch.together([&] {
    logger = std::make_unique<PowerLogger>(
        choose_sensors(SensorRoots{}, config, launch.local_rank(), gpus), start,
        ledger_path(folder.energy(), launch.rank()), phases, config.interval_seconds);
  });
  return logger;
}

}  // namespace lmtrain

#include "trainer/run_power.h"

#include <chrono>

#include <ATen/ATen.h>

#include "base/text.h"
#include "energy/sensors.h"

namespace lmtrain {
namespace {

double unix_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

int64_t agree_on_attempt(const RunFolder& folder, Launch& launch) {
  int64_t attempt = 0;
  launch.together([&] {
    if (launch.rank() == 0) attempt = next_attempt(folder.energy());
  });
  const at::Tensor number = at::tensor({attempt}, at::kLong);
  launch.world().broadcast(number, 0)->wait();
  return number.item<int64_t>();
}

// The GPU that each rank of this node uses, by local rank.
std::vector<std::string> gpus_of_this_node(const Compute& compute, Launch& launch) {
  std::vector<std::string> gpus;
  for (const std::string& place :
       gather_texts(launch.world(), cat(launch.node(), " ", compute.device.gpu_selector))) {
    const size_t space = place.find(' ');
    if (place.substr(0, space) == std::to_string(launch.node()))
      gpus.push_back(place.substr(space + 1));
  }
  return gpus;
}

}  // namespace

std::unique_ptr<PowerLogger> start_power_logger(const EnergyConfig& config, const RunFolder& folder,
                                                const Compute& compute, int64_t first_step,
                                                PhaseTracker& phases, Launch& launch) {
  AttemptStart start;
  start.attempt = agree_on_attempt(folder, launch);
  start.place = {launch.rank(), launch.size(), launch.node(), launch.local_rank(), launch.host()};
  start.first_step = first_step;
  const std::vector<std::string> gpus = gpus_of_this_node(compute, launch);
  std::unique_ptr<PowerLogger> logger;
  launch.together([&] {
    start.wall_seconds = unix_seconds();
    logger = std::make_unique<PowerLogger>(
        choose_sensors(SensorRoots{}, config, launch.local_rank(), gpus), start,
        ledger_path(folder.energy(), launch.rank()), phases, config.interval_seconds);
  });
  return logger;
}

}  // namespace lmtrain

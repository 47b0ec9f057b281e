// The power of a whole node as its management controller (IPMI, Redfish) measures it. Only root may
// ask most controllers, so a service of the node writes the figure into a file
// (energy.node_watts_file).
#include <charconv>
#include <chrono>
#include <memory>

#include "base/system_file.h"
#include "base/text.h"
#include "energy/meters/counter.h"
#include "energy/meters/sensor_sources.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

// Controllers measure at the power supplies, to some percent, and seldom more than once a second.
constexpr double kRelativeError = 0.10;
// Whoever writes the file has stopped.
constexpr double kStaleSeconds = 60.0;

struct Watts {
  std::optional<double> value;
  std::string failure;
};

Watts read_watts(const fs::path& file) {
  const SystemText content = read_system_text(file);
  if (!content.text) return {std::nullopt, cat(file.string(), ": ", content.failure)};
  double watts = 0;
  const char* const end = content.text->data() + content.text->size();
  const auto [at, error] = std::from_chars(content.text->data(), end, watts);
  const bool is_possible = watts > 0 && watts <= kMaxNodeWatts;
  if (error != std::errc() || at != end || !is_possible) {
    return {std::nullopt, cat(file.string(), ": \"", content.text->substr(0, 32),
                              "\" are not the watts of a node")};
  }
  std::error_code unknown;
  const auto age = fs::file_time_type::clock::now() - fs::last_write_time(file, unknown);
  const double seconds = std::chrono::duration<double>(age).count();
  if (!unknown && seconds > kStaleSeconds) {
    return {std::nullopt,
            cat(file.string(), " has not been renewed for ", fixed(seconds, 0), " s")};
  }
  return {watts, ""};
}

class NodeWattsMeter : public Meter {
 public:
  NodeWattsMeter(MeterInfo info, fs::path file)
      : Meter(std::move(info)), file_(std::move(file)), integral_(kRelativeError) {}

  Reading read(double now) override {
    const Watts watts = read_watts(file_);
    if (watts.value) return integral_.advance(now, *watts.value);
    integral_.interrupt();
    return missing_reading(watts.failure);
  }

 private:
  fs::path file_;
  PowerIntegral integral_;
};

}  // namespace

std::vector<FoundSensor> node_watts_sensors(const SensorSearch& search) {
  const fs::path file = search.config.node_watts_file;
  if (file.empty()) return {};
  FoundSensor sensor = whole_node_sensor("file:node", cat("whole node (", file.string(), ")"),
                                         read_watts(file).failure);
  sensor.is_asked_for = true;
  sensor.make = [info = sensor.info, file] { return std::make_unique<NodeWattsMeter>(info, file); };
  return {sensor};
}

}  // namespace lmtrain

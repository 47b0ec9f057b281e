// A source of sensors is one way in which a node shows energy or power: RAPL, NVML, a model, ...
// A source is one function. It looks at the node and says everything about each sensor it finds:
// what the sensor meters, whether it can be read, which rank owns it and how to make its meter.
// energy/meters/sensor_sources.cpp lists all sources.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "energy/energy_config.h"
#include "energy/meters/meter.h"

namespace lmtrain {

// Where a source looks, and for whom.
struct SensorSearch {
  SensorRoots roots;
  EnergyConfig config;
  // One entry for each rank of the node: the selector of its GPU (energy/meters/gpu_selector.h), or
  // "" for a rank that computes on the processors.
  std::vector<std::string> gpu_of_local_rank;
  // Whether GPUs that no rank uses are listed too, as `lmtrain doctor` needs them.
  bool list_unused_gpus = false;
};

struct FoundSensor {
  MeterInfo info;
  // The kinds of device whose whole energy on this node is in the sensors of this source. Sensors
  // of other sources that meter or cover any of these kinds are not counted beside this one. Where
  // two sources cover one kind, the sensor that covers more kinds is counted; among equals, the one
  // whose source stands first in the list. A GPU's sensor covers no kind, since other GPUs have
  // sensors of their own; that of a superchip covers the processors and the memory.
  std::set<DeviceKind> covers;
  // Whether what it meters is outside the node, such as a share of the network: then no sensor of
  // the node contains it.
  bool is_outside_node = false;
  // The local rank that reads it: 0 for what belongs to the node, the first rank that uses it for a
  // GPU. None for a GPU that no rank uses.
  std::optional<int> owner;
  std::string why_unreadable;   // "" when it can be read
  std::string why_not_counted;  // "" unless it may never be counted, whatever else is found
  std::string remarks;          // what else `lmtrain doctor` says about it
  // The config asks for it, so that those counted in its place are doubted.
  bool is_asked_for = false;
  std::string
      doubt;  // what makes its energy less trustworthy than that of its kind; "" for nothing
  // Null for a sensor that cannot be metered: its energy is then missing because it is unreadable.
  std::function<std::unique_ptr<Meter>()> make;
};

using SensorSource = std::function<std::vector<FoundSensor>(const SensorSearch&)>;

// Stands for a source that finds no sensor where people expect one, so that `lmtrain doctor` can
// say why.
FoundSensor nothing_found(const std::string& source, const std::string& why);

// More than a node with eight accelerators draws, in W.
inline constexpr double kMaxNodeWatts = 30'000.0;
// A measured sensor of the whole node, accelerators included, without its meter. Others stand in
// for one that cannot be read.
FoundSensor whole_node_sensor(const std::string& key, const std::string& label,
                              const std::string& why_unreadable);

// The first local rank whose selector names a GPU.
std::optional<int> first_user(const std::vector<std::string>& gpu_of_local_rank,
                              const std::function<bool(const std::string& selector)>& names_it);

// Adds one sensor without a meter for each GPU of a rank for which `why_unknown` gives a reason
// ("" when the source knows the selector, or leaves it to another source).
void add_unknown_gpus(std::vector<FoundSensor>& sensors, const SensorSearch& search,
                      const std::string& source,
                      const std::function<std::string(const std::string& selector)>& why_unknown);

}  // namespace lmtrain

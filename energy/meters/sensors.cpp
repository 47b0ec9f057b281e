#include "energy/meters/sensors.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "energy/meters/sensor_sources.h"

namespace lmtrain {
namespace {

// Stands for a sensor that should be there: its energy is missing, not zero.
class AbsentMeter : public Meter {
 public:
  AbsentMeter(MeterInfo info, std::string reason)
      : Meter(std::move(info)), reason_(std::move(reason)) {}

  Reading read(double) override { return missing_reading(reason_); }

 private:
  std::string reason_;
};

// Says with its first reading what is doubtful about all of them.
class DoubtfulMeter : public Meter {
 public:
  DoubtfulMeter(std::unique_ptr<Meter> meter, std::string doubt)
      : Meter(meter->info()), meter_(std::move(meter)), doubt_(std::move(doubt)) {}

  Reading read(double now) override {
    Reading reading = meter_->read(now);
    if (!reading.is_missing() && reading.doubt.empty()) std::swap(reading.doubt, doubt_);
    return reading;
  }
  uint64_t clock_limits() const override { return meter_->clock_limits(); }
  double max_seconds_between_reads() const override { return meter_->max_seconds_between_reads(); }

 private:
  std::unique_ptr<Meter> meter_;
  std::string doubt_;
};

std::unique_ptr<Meter> make_meter(const FoundSensor& sensor) {
  if (!sensor.make) return std::make_unique<AbsentMeter>(sensor.info, sensor.why_unreadable);
  if (sensor.doubt.empty()) return sensor.make();
  log_warn(cat("energy: ", sensor.info.key, ": ", sensor.doubt));
  return std::make_unique<DoubtfulMeter>(sensor.make(), sensor.doubt);
}

bool meet(const std::set<DeviceKind>& some, const FoundSensor& sensor) {
  return some.contains(sensor.info.kind) ||
         std::ranges::any_of(sensor.covers, [&](DeviceKind kind) { return some.contains(kind); });
}

// A sensor that the config asks for and that cannot be read leaves its devices to others.
void doubt_substitutes(std::vector<ListedSensor>& list) {
  for (const ListedSensor& asked : list) {
    if (!asked.sensor.is_asked_for || asked.counted()) continue;
    for (ListedSensor& other : list) {
      const bool stands_in = other.counted() && !other.sensor.is_outside_node &&
                             meet(asked.sensor.covers, other.sensor);
      if (stands_in && other.sensor.doubt.empty())
        other.sensor.doubt = cat("it stands in for the sensor that the config asks for: ",
                                 asked.sensor.why_unreadable);
    }
  }
}

// Which source meters all devices of a kind.
class CoveredKinds {
 public:
  // The key of a sensor of another source that contains energy of this one, or "".
  std::string holder(const FoundSensor& sensor, size_t source) const {
    if (sensor.is_outside_node) return "";
    std::set<DeviceKind> kinds = sensor.covers;
    kinds.insert(sensor.info.kind);
    for (const DeviceKind kind : kinds) {
      const auto at = holders_.find(kind);
      if (at != holders_.end() && at->second.source != source) return at->second.key;
    }
    return "";
  }

  void add(const FoundSensor& sensor, size_t source) {
    for (const DeviceKind kind : sensor.covers) {
      holders_.try_emplace(kind, Holder{source, sensor.info.key});
    }
  }

 private:
  struct Holder {
    size_t source;
    std::string key;
  };
  std::map<DeviceKind, Holder> holders_;
};

}  // namespace

std::vector<ListedSensor> list_sensors(const SensorSearch& search,
                                       const std::vector<SensorSource>& sources) {
  std::vector<ListedSensor> list;
  std::vector<size_t> source_of;
  for (size_t source = 0; source < sources.size(); ++source) {
    for (FoundSensor& sensor : sources[source](search)) {
      list.push_back({std::move(sensor), ""});
      source_of.push_back(source);
    }
  }
  std::vector<size_t> order(list.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return list[a].sensor.covers.size() > list[b].sensor.covers.size();
  });
  CoveredKinds covered;
  for (const size_t i : order) {
    list[i].covered_by = covered.holder(list[i].sensor, source_of[i]);
    if (list[i].counted() && list[i].sensor.owner) covered.add(list[i].sensor, source_of[i]);
  }
  doubt_substitutes(list);
  return list;
}

std::vector<std::unique_ptr<Meter>> choose_sensors(
    const SensorRoots& roots, const EnergyConfig& config, int local_rank,
    const std::vector<std::string>& gpu_of_local_rank) {
  std::vector<std::unique_ptr<Meter>> meters;
  for (const ListedSensor& listed :
       list_sensors({roots, config, gpu_of_local_rank}, sensor_sources())) {
    if (!listed.counted() || listed.sensor.owner != local_rank) continue;
    meters.push_back(make_meter(listed.sensor));
  }
  return meters;
}

}  // namespace lmtrain

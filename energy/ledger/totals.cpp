#include "energy/ledger/totals.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/text.h"
#include "energy/ledger/node_share.h"

namespace lmtrain {

void EnergySeries::add(Point point) {
  if (samples_in_last_ > 0 && samples_in_last_ < samples_per_point_) {
    Point& last = points_.back();
    for (size_t i = 0; i < point.joules.size(); ++i) point.joules[i] += last.joules[i];
    last = point;
    ++samples_in_last_;
    return;
  }
  if (points_.size() == kMaxPoints) {
    for (size_t i = 0; i < kMaxPoints / 2; ++i) {
      Point joined = points_[2 * i + 1];
      for (size_t k = 0; k < joined.joules.size(); ++k)
        joined.joules[k] += points_[2 * i].joules[k];
      points_[i] = joined;
    }
    points_.resize(kMaxPoints / 2);
    samples_per_point_ *= 2;
  }
  points_.push_back(point);
  samples_in_last_ = 1;
}

void EnergySeries::scale(const std::function<double(DeviceKind)>& factor) {
  for (Point& point : points_) {
    for (size_t kind = 0; kind < point.joules.size(); ++kind)
      point.joules[kind] *= factor(static_cast<DeviceKind>(kind));
  }
}

double EnergySeries::joules_from_step(int64_t first_step, int64_t step) const {
  double joules = 0.0;
  int64_t begin = first_step;
  for (const Point& point : points_) {
    const double spent = std::accumulate(point.joules.begin(), point.joules.end(), 0.0);
    const auto steps = static_cast<double>(point.step - begin + 1);
    const double before = std::clamp(static_cast<double>(step - begin) / steps, 0.0, 1.0);
    joules += (1.0 - before) * spent;
    begin = point.step;
  }
  return joules;
}

void TimedEnergy::add(const std::array<double, kNumDeviceKinds>& energy, double g_per_kwh) {
  for (size_t kind = 0; kind < energy.size(); ++kind) {
    joules[kind] += energy[kind];
    joule_grams[kind] += energy[kind] * g_per_kwh;
  }
}

void TimedEnergy::add(const TimedEnergy& more) {
  for (size_t kind = 0; kind < joules.size(); ++kind) {
    joules[kind] += more.joules[kind];
    joule_grams[kind] += more.joule_grams[kind];
  }
}

void TimedEnergy::scale(const std::function<double(DeviceKind)>& factor) {
  for (size_t kind = 0; kind < joules.size(); ++kind) {
    joules[kind] *= factor(static_cast<DeviceKind>(kind));
    joule_grams[kind] *= factor(static_cast<DeviceKind>(kind));
  }
}

double TimedEnergy::all_joules() const {
  return std::accumulate(joules.begin(), joules.end(), 0.0);
}

double TimedEnergy::mean_g_per_kwh(double all, double otherwise) const {
  const double timed = all_joules();
  if (timed <= 0.0 || all <= 0.0) return otherwise;
  const double mean = std::accumulate(joule_grams.begin(), joule_grams.end(), 0.0) / timed;
  const double share = std::min(1.0, timed / all);
  return share * mean + (1.0 - share) * otherwise;
}

EnergyTotals::EnergyTotals(AttemptStart attempt_start)
    : start(std::move(attempt_start)), last_step(start.first_step) {
  for (const MeterInfo& info : start.sensors) sensors.push_back({info, {}, 0.0, 0, "", ""});
}

void EnergyTotals::add(const EnergySample& sample, std::optional<double> otherwise) {
  if (sample.readings.size() != sensors.size()) {
    throw DataError(cat("a sample of ", sample.readings.size(), " sensors in an attempt with ",
                        sensors.size()));
  }
  if (sample.seconds < seconds || sample.step < last_step) {
    throw DataError("a sample is earlier than the one before it");
  }
  EnergySeries::Point point{sample.seconds, sample.step, {}};
  for (size_t i = 0; i < sensors.size(); ++i) {
    const Reading& reading = sample.readings[i];
    SensorTotals& sensor = sensors[i];
    if (reading.is_missing()) {
      ++sensor.missing_readings;
      sensor.missing_reason = reading.missing;
      continue;
    }
    sensor.energy.add(reading.joules, reading.low, reading.high);
    sensor.covered_seconds += reading.seconds;
    if (!reading.doubt.empty()) sensor.doubt = reading.doubt;
    point.joules[static_cast<size_t>(sensor.info.kind)] += reading.joules;
  }
  if (sample.grid_g_per_kwh) timed.add(point.joules, *sample.grid_g_per_kwh);
  if (otherwise) timed_otherwise.add(point.joules, *otherwise);
  const double since = sample.seconds - seconds;
  memory_byte_seconds += sample.memory_bytes * since;
  if (sample.node) {
    node_busy_cpu_seconds = sample.node->busy_cpu_seconds;
    node_memory_byte_seconds += sample.node->memory_bytes * since;
  }
  seconds = sample.seconds;
  cpu_seconds = sample.cpu_seconds;
  meter_seconds = sample.meter_seconds;
  last_step = sample.step;
  series.add(point);

  const auto& spans = sample.phase_seconds;
  const double span = std::accumulate(spans.begin(), spans.end(), 0.0);
  const auto add_to_phase = [&](size_t phase, double share) {
    for (size_t kind = 0; kind < kNumDeviceKinds; ++kind)
      phase_joules[phase][kind] += point.joules[kind] * share;
  };
  for (size_t i = 0; i < spans.size(); ++i) {
    phase_seconds[i] += spans[i];
    if (span > 0.0) add_to_phase(i, spans[i] / span);
  }
  if (span <= 0.0) add_to_phase(static_cast<size_t>(Phase::kStartup), 1.0);
}

double EnergyTotals::joules_in(Phase phase) const {
  const auto& by_kind = phase_joules[static_cast<size_t>(phase)];
  return std::accumulate(by_kind.begin(), by_kind.end(), 0.0);
}

double EnergyTotals::own_joules() const {
  EnergyTotals own;
  own.sensors = sensors;
  take_share(own, node_share(work_of(*this)));
  return own.joules();
}

double EnergyTotals::joules() const {
  double sum = 0.0;
  for (const SensorTotals& sensor : sensors) sum += sensor.energy.joules;
  return sum;
}

}  // namespace lmtrain

#include "trainer/run/power_caps.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "energy/amount_text.h"
#include "parallel/typed_gather.h"

namespace lmtrain {
namespace {

// A trial is as short as the meters allow.
constexpr int64_t kMinSteps = 5;
constexpr double kMinReadings = 5;
constexpr double kMinSeconds = 1.0;
constexpr int64_t kWarmUpSteps = 3;  // of an attempt, which are slower than others
// Work between two steps that is longer than this does not count for a cap.
constexpr double kGapSeconds = 0.02;

constexpr const char* kThisProgram = "/proc/self/exe";

double change(double value, double than) { return 100 * (value / than - 1); }

std::string setting_text(const HeldCaps& caps, double share) {
  return cat(caps.text(share), share < 1.0 ? cat(" (", fixed(100 * share, 0), "%)") : " (no cap)");
}

}  // namespace

RunPowerCaps::RunPowerCaps(const EnergyConfig& config, const RankDevice& device,
                           RunRecorder& recorder, Launch& launch)
    : recorder_(recorder), launch_(launch), knobs_(SensorRoots{}) {
  if (launch.local_rank() == 0) set_back_what_was_left();
  if (!config.max_slowdown) return;
  max_slowdown_ = *config.max_slowdown;
  settling_seconds_ = config.interval_seconds;
  trial_seconds_ = std::max(kMinSeconds, kMinReadings * config.interval_seconds);
  HeldCaps::Taken taken = take(device);
  caps_ = std::move(taken.caps);
  const std::vector<std::string> failures = gather_texts(launch.world(), taken.why_not);
  const auto failure = std::ranges::find_if(failures, [](const auto& why) { return !why.empty(); });
  if (failure != failures.end()) {
    give_up(*failure);
    return;
  }
  double least = 1.0;
  for (const double of_rank : gather_all(launch.world(), caps_ ? caps_->least_share() : 1.0))
    least = std::min(least, of_rank);
  sweep_.emplace(max_slowdown_, least);
  if (launch.rank() == 0) {
    log_info(cat("energy.max_slowdown = ", shortest(max_slowdown_),
                 ": a few steps each by power caps from ", caps_->text(1.0), " down to at least ",
                 caps_->text(std::max(least, 0.5))));
  }
}

void RunPowerCaps::set_back_what_was_left() {
  for (const RestoredCaps& one : restore_left_caps(knobs_, kCapRecords))
    if (one.state != RestoredCaps::State::kHeld) log_warn(one.text);
}

// Collective. Of the device whose first rank this is, if its energy is measured.
HeldCaps::Taken RunPowerCaps::take(const RankDevice& device) {
  const bool is_gpu = !device.gpu_selector.empty();
  const std::vector<std::string> gpus = launch_.gather_on_node(device.gpu_selector);
  const std::vector<std::string> nodes =
      launch_.gather_on_node(recorder_.measures(DeviceKind::kOther) ? "measured" : "");
  const auto first = std::ranges::find(gpus, device.gpu_selector);
  if (first - gpus.begin() != launch_.local_rank()) return {};
  if (!recorder_.measures(is_gpu ? DeviceKind::kGpu : DeviceKind::kCpu) && nodes.front().empty()) {
    return {nullptr, cat("no sensor measures what ",
                         is_gpu ? cat("GPU ", device.gpu_selector) : "the processors of ",
                         is_gpu ? "" : launch_.host(), is_gpu ? " draws" : " draw",
                         ", without which no cap can be chosen ",
                         "(lmtrain doctor shows the sensors and what may be set)")};
  }
  const std::string name = is_gpu ? cat("nvml-", device.gpu_selector) : "cpufreq";
  const auto find = [&] {
    return is_gpu ? knobs_.of_gpu(device.gpu_selector) : knobs_.of_processors();
  };
  return HeldCaps::take(knobs_, kCapRecords, name, find, kThisProgram);
}

// The same on every rank.
void RunPowerCaps::give_up(const std::string& why) {
  caps_.reset();
  sweep_.reset();
  if (launch_.rank() != 0) return;
  log_warn(cat("energy.max_slowdown has no effect: ", why));
  recorder_.facts().notes.push_back(
      cat("No power cap was set (energy.max_slowdown), because ", why, "."));
}

void RunPowerCaps::after_step(int64_t done, double seconds, bool is_saving) {
  if (!sweep_) return;
  if (++steps_seen_ < kWarmUpSteps) return;
  if (steps_seen_ == kWarmUpSteps) begin_trial(1.0);
  if (!sweep_) return;
  const double now = monotonic_seconds();
  enum Next : int64_t { kGoOn, kBegin, kEnd };
  int64_t next = kGoOn;
  if (launch_.rank() == 0) {
    const double gap = now - seconds - last_step_ended_;
    const bool is_disturbed = is_saving || gap > kGapSeconds + 0.05 * seconds;
    if (is_settling_) {
      next = now - set_at_ >= settling_seconds_ ? kBegin : kGoOn;
    } else if (is_disturbed) {
      next = kBegin;
    } else if (steps_ + 1 >= kMinSteps && now - began_ >= trial_seconds_) {
      next = kEnd;
    }
  }
  next = broadcast_from(launch_.world(), 0, next);
  ++steps_;
  if (next == kBegin) begin_window();
  if (next == kEnd) end_trial(done);
  last_step_ended_ = monotonic_seconds();
}

void RunPowerCaps::begin_trial(double share) {
  is_settling_ = true;
  set_at_ = monotonic_seconds();
  if (!launch_.any(!set_share(share))) return;
  give_up("it was set and then refused");
}

// Warns of what this rank cannot set.
bool RunPowerCaps::set_share(double share) {
  const std::string failure = caps_ ? caps_->set_share(share) : "";
  if (!failure.empty()) log_warn(cat("the power cap was refused: ", failure));
  return failure.empty();
}

void RunPowerCaps::begin_window() {
  joules_ = recorder_.joules_by_now();
  began_ = monotonic_seconds();
  steps_ = 0;
  is_settling_ = false;
}

void RunPowerCaps::end_trial(int64_t done) {
  const auto steps = static_cast<double>(steps_);
  const double joules = (recorder_.joules_by_now() - joules_) / steps;
  const double seconds = broadcast_from(launch_.world(), 0, (monotonic_seconds() - began_) / steps);
  const double share = *sweep_->next();
  sweep_->add(seconds, joules);
  if (launch_.rank() == 0) {
    log_info(cat("at ", setting_text(*caps_, share), " a step takes ", three_digits(seconds),
                 " s and ", three_digits(joules), " J"));
  }
  if (const std::optional<double> next = sweep_->next()) {
    begin_trial(*next);
  } else {
    choose(done);
  }
}

void RunPowerCaps::choose(int64_t done) {
  const CapTrial chosen = sweep_->chosen();
  const CapTrial former = sweep_->uncapped();
  if (launch_.rank() == 0) {
    if (chosen.share == 1.0) {
      log_info(cat("no power cap saves energy with steps at most ", fixed(100 * max_slowdown_, 1),
                   "% longer; the devices stay as they were"));
    } else {
      log_info(cat("power cap ", setting_text(*caps_, chosen.share), ": steps take ",
                   fixed(-change(chosen.step_joules, former.step_joules), 1),
                   "% less energy and are ",
                   fixed(change(chosen.step_seconds, former.step_seconds), 1),
                   "% longer; the former setting comes back at the end"));
    }
    recorder_.power_caps(done, facts(chosen.share));
  }
  sweep_.reset();
  if (launch_.any(!set_share(chosen.share))) give_up("it was set and then refused");
}

CapFacts RunPowerCaps::facts(double chosen) const {
  CapFacts facts;
  facts.max_slowdown = max_slowdown_;
  facts.chosen_share = chosen;
  for (const CapTrial& one : sweep_->trials())
    facts.trials.push_back({caps_->text(one.share), one.share, one.step_seconds, one.step_joules});
  return facts;
}

}  // namespace lmtrain

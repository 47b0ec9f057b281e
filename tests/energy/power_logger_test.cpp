#include "energy/ledger/power_logger.h"

#include <chrono>
#include <csignal>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/clock.h"
#include "energy/meters/sensors.h"
#include "tests/energy/fake_machine.h"

namespace lmtrain {
namespace {

// Always reads exactly 100 W.
class SteadyMeter : public Meter {
 public:
  explicit SteadyMeter(double max_seconds = 1e9, DeviceKind kind = DeviceKind::kCpu)
      : Meter({"fake:steady", "steady", kind, Quality::kMeasured}), max_seconds_(max_seconds) {}
  Reading read(double now) override {
    const double seconds = last_ < 0.0 ? 0.0 : now - last_;
    last_ = now;
    return reading_within(seconds, 100.0 * seconds, 0.05);
  }
  double max_seconds_between_reads() const override { return max_seconds_; }

 private:
  double last_ = -1.0;
  double max_seconds_;
};

std::vector<std::unique_ptr<Meter>> steady(double max_seconds = 1e9) {
  std::vector<std::unique_ptr<Meter>> meters;
  meters.push_back(std::make_unique<SteadyMeter>(max_seconds));
  return meters;
}

void pause(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

class Logger : public testing::Test {
 protected:
  std::vector<EnergySample> samples_in_ledger() {
    std::vector<EnergySample> samples;
    LedgerReader(path_).read_new([&](const LedgerRecord& record) {
      if (const auto* sample = std::get_if<EnergySample>(&record)) samples.push_back(*sample);
    });
    return samples;
  }

  std::unique_ptr<PowerLogger> logger_of(std::vector<std::unique_ptr<Meter>> meters,
                                         double interval, int64_t first_step = 0) {
    auto logger = std::make_unique<PowerLogger>(
        std::move(meters), RankPlace{}, phases_,
        PowerLogger::Options{interval, std::nullopt, machine_.roots().procfs});
    logger->write_to(path_, {1, first_step, {}, {}});
    return logger;
  }

  FakeMachine machine_;
  std::filesystem::path path_ = ledger_path(machine_.root(), 0);
  PhaseTracker phases_;
};

// Defect: energy before the first or after the last regular sample is lost, or the ledger and the
// totals in memory differ.
TEST_F(Logger, CountsFromTheFirstMomentToTheLast) {
  const double begin = monotonic_seconds();
  const auto made = logger_of(steady(), 0.05);
  PowerLogger& logger = *made;
  pause(0.23);
  logger.stop();
  const double elapsed = monotonic_seconds() - begin;
  const EnergyTotals totals = logger.totals();
  EXPECT_NEAR(totals.joules(), 100.0 * totals.seconds, 1e-9);
  EXPECT_GE(totals.seconds, 0.23);
  EXPECT_LE(totals.seconds, elapsed);
  EXPECT_NEAR(logger.recent_watts(), 100.0, 1e-6);
  EXPECT_EQ(logger.joules(), totals.joules());
  EXPECT_EQ(samples_in_ledger().front().seconds, 0.0);
  const EnergyTotals from_disk = RunLedgers(machine_.root()).refresh().at(0);
  EXPECT_TRUE(from_disk.stopped);
  EXPECT_NEAR(from_disk.joules(), totals.joules(), 1e-3);
}

// Defect: what a run spends before its ledger is known (finding its checkpoint) is lost, or the
// time before the first reading looks as if it had been metered.
TEST_F(Logger, KeepsWhatWasReadBeforeTheLedgerWasKnown) {
  PowerLogger::Options options;
  options.interval_seconds = 0.05;
  options.began = monotonic_seconds() - 2.0;
  PowerLogger logger(steady(), {}, phases_, options);
  pause(0.3);
  logger.write_to(path_, {7, 40, {1.5, find_grid_intensity("POL")}, {}});
  logger.set_step(41);
  pause(0.1);
  logger.stop();
  const EnergyTotals totals = RunLedgers(machine_.root()).refresh().at(0);
  EXPECT_EQ(totals.start.attempt, 7);
  EXPECT_EQ(totals.start.first_step, 40);
  EXPECT_EQ(totals.start.price->pue, 1.5);
  EXPECT_EQ(totals.start.price->grid.code, "POL");
  EXPECT_EQ(totals.last_step, 41);
  EXPECT_GE(totals.seconds, 2.4);
  EXPECT_NEAR(totals.joules(), 100.0 * (totals.seconds - 2.0), 2.0);
  EXPECT_NEAR(totals.sensors[0].covered_seconds, totals.seconds - 2.0, 0.02);
  EXPECT_NEAR(totals.joules(), logger.totals().joules(), 1e-3);
}

// Defect: energy of other jobs of the node on this job's progress line.
TEST_F(Logger, TellsThisJobsPartOfABusyNode) {
  machine_.add_proc(4, "Some Processor");
  const auto made = logger_of(steady(), 60.0);
  volatile double sink = 0.0;
  const double begin = monotonic_seconds();
  while (monotonic_seconds() - begin < 0.3) sink = sink + 1.0;
  machine_.set_ticks(120, 0);  // 1.2 s of the node's processors
  made->take_sample();
  const EnergyTotals totals = made->totals();
  EXPECT_NEAR(made->joules(), totals.joules() * totals.cpu_seconds / 1.2, 1e-6);
  EXPECT_LT(made->joules(), 0.5 * totals.joules());
}

// Defect: an answer of the server that cost less than nothing, since another job's work became
// known while it was computed and the whole past was counted anew; or a GPU, which is the job's
// alone, of which it is charged a part.
TEST_F(Logger, WhatWasSpentNeverFalls) {
  machine_.add_proc(4, "Some Processor");
  std::vector<std::unique_ptr<Meter>> meters = steady();
  meters.push_back(std::make_unique<SteadyMeter>(1e9, DeviceKind::kGpu));
  const auto made = logger_of(std::move(meters), 60.0);
  const double start = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
  const auto work_until = [&](double cpu_seconds) {
    volatile double sink = 0.0;
    while (clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - start < cpu_seconds) sink = sink + 1.0;
  };
  const auto joules_of = [](const EnergyTotals& totals, size_t sensor) {
    return totals.sensors[sensor].energy.joules;
  };
  work_until(0.3);
  machine_.set_ticks(30, 0);  // no other job's work until now
  made->take_sample();
  const EnergyTotals before = made->totals();
  const double spent_before = made->spent_joules();
  EXPECT_DOUBLE_EQ(spent_before, before.joules());
  work_until(0.4);
  machine_.set_ticks(400, 0);
  made->take_sample();
  const EnergyTotals now = made->totals();
  EXPECT_LT(made->joules(), spent_before + joules_of(now, 1) - joules_of(before, 1));
  EXPECT_NEAR(made->spent_joules() - spent_before,
              (joules_of(now, 0) - joules_of(before, 0)) * now.cpu_seconds / 4.0 +
                  joules_of(now, 1) - joules_of(before, 1),
              1e-6);
}

// Defect: the energy of an interval given to the phase that happens to run when it is sampled.
TEST_F(Logger, SplitsEnergyByTheTimeOfPhases) {
  const auto made = logger_of(steady(), 60.0);
  PowerLogger& logger = *made;
  {
    const PhaseScope scope(phases_, Phase::kForward);
    pause(0.3);
  }
  {
    const PhaseScope scope(phases_, Phase::kBackward);
    pause(0.6);
  }
  logger.stop();
  const EnergyTotals totals = logger.totals();
  for (const Phase phase : {Phase::kForward, Phase::kBackward}) {
    EXPECT_NEAR(totals.joules_in(phase), 100.0 * phases_.seconds()[static_cast<size_t>(phase)],
                15.0);
  }
  double sum = 0.0;
  for (int i = 0; i < kNumPhases; ++i) sum += totals.joules_in(static_cast<Phase>(i));
  EXPECT_NEAR(sum, totals.joules(), 1e-9);
}

// Defect: a checkpoint's energy lacks what came after the last regular sample, or the step is lost.
TEST_F(Logger, ASampleCanBeTakenOfTheStepUnderWay) {
  const auto made = logger_of(steady(), 60.0, 40);
  PowerLogger& logger = *made;
  logger.set_step(41);
  pause(0.05);
  logger.take_sample();
  EXPECT_GE(logger.totals().joules(), 5.0);
  ASSERT_EQ(samples_in_ledger().size(), 2u);
  EXPECT_EQ(samples_in_ledger()[0].step, 40);
  EXPECT_EQ(samples_in_ledger()[1].step, 41);
}

// Defect: a counter that wraps within the configured interval is read too seldom.
TEST_F(Logger, ReadsOftenEnoughForTheFastestCounter) {
  const auto made = logger_of(steady(0.03), 60.0);
  PowerLogger& logger = *made;
  pause(0.4);
  logger.stop();
  EXPECT_GE(samples_in_ledger().size(), 5u);
}

// Defect: a logger that slows the run it meters. Reads real files, on a thread of its own.
TEST_F(Logger, CostsNextToNothing) {
  machine_.add_zone("intel-rapl:0", "package-0", 0);
  machine_.add_zone("intel-rapl:0:0", "dram", 0);
  const auto made = logger_of(choose_sensors(machine_.roots(), {}, 0, {""}), 0.1);
  PowerLogger& logger = *made;
  pause(1.0);
  logger.stop();
  const EnergyTotals totals = logger.totals();
  RecordProperty("share_of_a_core", std::to_string(totals.meter_seconds / totals.seconds));
  EXPECT_LT(totals.meter_seconds, 0.03 * totals.seconds);
  EXPECT_GT(totals.meter_seconds, 0.0);
}

volatile std::sig_atomic_t signals_handled = 0;

// Defect: the preemption signal handled on the logger's thread, so that training does not notice
// it.
TEST_F(Logger, LeavesSignalsToTheTrainingThread) {
  const auto logger = logger_of(steady(), 0.05);
  const auto before = std::signal(SIGUSR1, [](int) { signals_handled = signals_handled + 1; });
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &usr1, nullptr);
  kill(getpid(), SIGUSR1);
  pause(0.05);
  EXPECT_EQ(signals_handled, 0);
  pthread_sigmask(SIG_UNBLOCK, &usr1, nullptr);
  EXPECT_EQ(signals_handled, 1);
  std::signal(SIGUSR1, before);
}

// Defect: a rank without sensors keeps no ledger, so that it gets no part of its node's energy.
TEST_F(Logger, KeepsTheCpuTimeOfARankWithoutSensors) {
  const auto made = logger_of({}, 0.05);
  PowerLogger& logger = *made;
  volatile double sink = 0.0;
  // Of CPU time, which a busy machine gives slowly.
  const double begin = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
  while (clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - begin < 0.1) sink = sink + 1.0;
  logger.stop();
  EXPECT_GT(logger.totals().cpu_seconds, 0.01);
  EXPECT_EQ(logger.totals().joules(), 0.0);
}

}  // namespace
}  // namespace lmtrain

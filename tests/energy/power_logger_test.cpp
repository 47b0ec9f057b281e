#include "energy/power_logger.h"

#include <chrono>
#include <csignal>
#include <numeric>

#include <gtest/gtest.h>
#include <unistd.h>

#include "energy/sensors.h"
#include "tests/energy/fake_machine.h"

namespace lmtrain {
namespace {

// Always reads exactly 100 W.
class SteadyMeter : public Meter {
 public:
  explicit SteadyMeter(double max_seconds = 1e9)
      : Meter({"fake:steady", "steady", DeviceKind::kCpu, Quality::kMeasured}),
        max_seconds_(max_seconds) {}
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

  FakeMachine machine_;
  std::filesystem::path path_ = ledger_path(machine_.root(), 0);
  PhaseTracker phases_;
};

// Defect: energy before the first or after the last regular sample is lost, or the ledger and the
// totals in memory differ.
TEST_F(Logger, CountsFromTheFirstMomentToTheLast) {
  const double begin = monotonic_seconds();
  PowerLogger logger(steady(), {}, path_, phases_, 0.05);
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

// Defect: the energy of an interval given to the phase that happens to run when it is sampled.
TEST_F(Logger, SplitsEnergyByTheTimeOfPhases) {
  PowerLogger logger(steady(), {}, path_, phases_, 60.0);
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
    const auto index = static_cast<size_t>(phase);
    EXPECT_NEAR(totals.phase_joules[index], 100.0 * phases_.seconds()[index], 15.0);
  }
  EXPECT_NEAR(std::accumulate(totals.phase_joules.begin(), totals.phase_joules.end(), 0.0),
              totals.joules(), 1e-9);
}

// Defect: a checkpoint's energy lacks what came after the last regular sample, or the step is lost.
TEST_F(Logger, FlushTakesASampleOfTheStepUnderWay) {
  AttemptStart start;
  start.first_step = 40;
  PowerLogger logger(steady(), start, path_, phases_, 60.0);
  logger.set_step(41);
  pause(0.05);
  logger.flush();
  EXPECT_GE(logger.totals().joules(), 5.0);
  ASSERT_EQ(samples_in_ledger().size(), 2u);
  EXPECT_EQ(samples_in_ledger()[0].step, 40);
  EXPECT_EQ(samples_in_ledger()[1].step, 41);
}

// Defect: a counter that wraps within the configured interval is read too seldom.
TEST_F(Logger, ReadsOftenEnoughForTheFastestCounter) {
  PowerLogger logger(steady(0.03), {}, path_, phases_, 60.0);
  pause(0.4);
  logger.stop();
  EXPECT_GE(samples_in_ledger().size(), 5u);
}

// Defect: a logger that slows the run it meters. Reads real files, on a thread of its own.
TEST_F(Logger, CostsNextToNothing) {
  machine_.add_zone("intel-rapl:0", "package-0", 0);
  machine_.add_zone("intel-rapl:0:0", "dram", 0);
  PowerLogger logger(choose_sensors(machine_.roots(), {}, 0, {""}), {}, path_, phases_, 0.1);
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
  PowerLogger logger(steady(), {}, path_, phases_, 0.05);
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
  PowerLogger logger({}, {}, path_, phases_, 0.05);
  volatile double sink = 0.0;
  const double begin = monotonic_seconds();
  while (monotonic_seconds() - begin < 0.15) sink = sink + 1.0;
  logger.stop();
  EXPECT_GT(logger.totals().cpu_seconds, 0.01);
  EXPECT_EQ(logger.totals().joules(), 0.0);
}

}  // namespace
}  // namespace lmtrain

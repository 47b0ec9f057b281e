#include "energy/meters/nvml.h"

#include <gtest/gtest.h>

#include "energy/energy_range.h"
#include "energy/meters/clock_limits.h"
#include "tests/energy/fake_machine.h"

namespace lmtrain {
namespace {

constexpr const char* kTwoGpus =
    "GPU-aaaa-1 H100 5000 300000 MIG-7777\n"
    "GPU-aabb-2 H100 9000 400000";

// Defect: an old or absent driver ends the run instead of saying why there is no GPU energy.
TEST(Nvml, SaysWhyItCannotBeUsed) {
  const Nvml::Opened opened = Nvml::open("libno-such-driver.so");
  EXPECT_EQ(opened.nvml, nullptr);
  EXPECT_NE(opened.failure.find("libno-such-driver.so"), std::string::npos);
  const Nvml::Opened not_nvml = Nvml::open("libm.so.6");
  EXPECT_EQ(not_nvml.nvml, nullptr);
  EXPECT_NE(not_nvml.failure.find("lacks nvml"), std::string::npos);
}

// Defect: all GPUs of a node counted for the one that is used; a MIG instance not found.
TEST(Nvml, FindsAGpuByIndexUuidAndInstance) {
  FakeMachine machine;
  machine.use_fake_nvml(kTwoGpus);
  const auto nvml = Nvml::open(machine.roots().nvml_library).nvml;
  ASSERT_NE(nvml, nullptr);
  const auto uuid = [&](const std::string& selector) {
    const Nvml::Device* device = nvml->find(selector);
    return device == nullptr ? "none" : device->uuid;
  };
  EXPECT_EQ(uuid("1"), "GPU-aabb-2");
  EXPECT_EQ(uuid("2"), "none");
  EXPECT_EQ(uuid("GPU-aabb-2"), "GPU-aabb-2");
  EXPECT_EQ(uuid("GPU-aab"), "GPU-aabb-2");
  EXPECT_EQ(uuid("GPU-aa"), "none") << "an ambiguous start names no GPU";
  EXPECT_EQ(uuid("MIG-7777"), "GPU-aaaa-1");
  EXPECT_EQ(uuid("MIG-8888"), "none");
}

// Defect: millijoules taken for joules; the energy since boot counted.
TEST(Nvml, ReadsTheEnergyCounter) {
  FakeMachine machine;
  machine.use_fake_nvml(kTwoGpus);
  const auto nvml = Nvml::open(machine.roots().nvml_library).nvml;
  const auto meter = make_nvml_meter(nvml, *nvml->find("0"));
  EXPECT_EQ(meter->info().key, "nvml:GPU-aaaa-1");
  EXPECT_EQ(meter->read(0.0).joules, 0.0);
  machine.use_fake_nvml("GPU-aaaa-1 H100 305250 300000\nGPU-aabb-2 H100 9000 1");
  EXPECT_DOUBLE_EQ(meter->read(1.0).joules, 300.25);
  machine.use_fake_nvml("GPU-aaaa-1 H100 lost lost\nGPU-aabb-2 H100 9000 1");
  EXPECT_EQ(meter->read(2.0).missing, "GPU is lost");
  machine.use_fake_nvml("GPU-aaaa-1 H100 10 300000\nGPU-aabb-2 H100 9000 1");
  EXPECT_TRUE(meter->read(3.0).is_missing()) << "the driver was reloaded";
}

// Defect: a GPU that its heat holds down is taken for a free one, or one that idles for a hot one.
TEST(Nvml, TellsWhatHoldsTheClocksDown) {
  FakeMachine machine;
  machine.use_fake_nvml("GPU-aaaa-1 H100 5000 300000 - 65\nGPU-aabb-2 H100 9000 400000 - 1");
  const auto nvml = Nvml::open(machine.roots().nvml_library).nvml;
  EXPECT_EQ(clock_limits_text(make_nvml_meter(nvml, *nvml->find("0"))->clock_limits()), "heat");
  EXPECT_EQ(make_nvml_meter(nvml, *nvml->find("1"))->clock_limits(), 0U);
}

// A GPU whose counter and power are set for each second; 0 W of counter stands still.
class NvmlSeconds {
 public:
  NvmlSeconds() {
    show();
    nvml_ = Nvml::open(machine_.roots().nvml_library).nvml;
    meter_ = make_nvml_meter(nvml_, *nvml_->find("0"));
    meter_->read(0.0);
  }
  Reading pass(int seconds, int counter_watts, int power_watts) {
    Reading last;
    power_ = power_watts;
    for (int i = 0; i < seconds; ++i) {
      ++now_;
      counter_ += counter_watts * 1000;
      show();
      last = meter_->read(now_);
      sum_.add(last.joules, last.low, last.high);
    }
    return last;
  }
  const EnergyRange& sum() const { return sum_; }

 private:
  void show() {
    machine_.use_fake_nvml("GPU-aaaa-1 H100 " + std::to_string(counter_) + " " +
                           std::to_string(power_ * 1000));
  }

  FakeMachine machine_;
  int counter_ = 5000;
  int power_ = 300;
  int now_ = 0;
  EnergyRange sum_;
  std::shared_ptr<Nvml> nvml_;
  std::unique_ptr<Meter> meter_;
};

// Defect: a counter that stands still beside a power of 300 W is "measured, 0 J".
TEST(Nvml, PowerStandsInForACounterThatStandsStill) {
  NvmlSeconds gpu;
  EXPECT_EQ(gpu.pass(10, 300, 300).doubt, "");
  EXPECT_DOUBLE_EQ(gpu.sum().joules, 3000.0);
  const Reading still = gpu.pass(10, 0, 300);
  EXPECT_NE(still.doubt.find("stands still"), std::string::npos);
  EXPECT_DOUBLE_EQ(gpu.sum().joules, 6000.0) << "with the seconds until that was clear";
  gpu.pass(10, 300, 300);
  EXPECT_DOUBLE_EQ(gpu.sum().joules, 9000.0);
}

// Defect: a counter at 37.5 W beside a power of 65 W, and no word of it.
TEST(Nvml, CounterAndPowerThatDifferWidenTheInterval) {
  NvmlSeconds gpu;
  gpu.pass(1, 65, 65);
  const Reading last = gpu.pass(39, 37, 65);
  EXPECT_NE(last.doubt.find("W and its power"), std::string::npos) << last.doubt;
  EXPECT_NEAR(gpu.sum().joules, 40 * 65.0, 120.0)
      << "the larger; the power before the first was 300 W";
  EXPECT_LT(gpu.sum().low, 40 * 38.0);
  EXPECT_GT(gpu.sum().high, 40 * 65.0);
  NvmlSeconds fair;
  EXPECT_EQ(fair.pass(40, 300, 320).doubt, "") << "power is a mean over a second, and lags";
}

// Defect: a GPU without an energy counter counted as 0 J.
TEST(Nvml, IntegratesPowerWhereThereIsNoCounter) {
  FakeMachine machine;
  machine.use_fake_nvml("GPU-cccc K80 - 100000");
  const auto nvml = Nvml::open(machine.roots().nvml_library).nvml;
  const auto meter = make_nvml_meter(nvml, *nvml->find("0"));
  EXPECT_EQ(meter->read(0.0).joules, 0.0);
  machine.use_fake_nvml("GPU-cccc K80 - 200000");
  EXPECT_DOUBLE_EQ(meter->read(2.0).joules, 300.0);
}

}  // namespace
}  // namespace lmtrain

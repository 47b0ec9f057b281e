#include "energy/power_model.h"

#include <gtest/gtest.h>

#include "tests/energy/fake_machine.h"

namespace lmtrain {
namespace {

// Defect: the load taken since boot instead of since the last reading, or idle taken for busy.
TEST(PowerModel, FollowsTheLoadBetweenReadings) {
  FakeMachine machine;
  machine.add_proc(4, "Some Processor");
  machine.set_ticks(900, 100);
  const auto meter = make_cpu_model_meter(machine.roots().procfs, {});
  EXPECT_EQ(meter->info().quality, Quality::kModelled);
  EXPECT_EQ(meter->read(0.0).joules, 0.0);
  machine.set_ticks(950, 150);  // half of the time
  EXPECT_DOUBLE_EQ(meter->read(2.0).joules, 16.0 * (0.1 + 0.9 * 0.125) * 2.0);
  machine.set_ticks(1050, 150);
  EXPECT_DOUBLE_EQ(meter->read(3.0).joules, 16.0);
  machine.set_ticks(1050, 250);
  EXPECT_DOUBLE_EQ(meter->read(4.0).joules, 1.6);
  EXPECT_DOUBLE_EQ(meter->read(5.0).joules, 1.6) << "no tick has passed: the load stays";
}

// Defect: an interval that does not contain its value, or that is narrower where less is known.
TEST(PowerModel, KeepsEveryValueWithinItsInterval) {
  const CpuDesignPower known{100.0, 70.0, 110.0, ""};
  const CpuDesignPower unknown{100.0, 50.0, 200.0, ""};
  for (double load = 0.0; load <= 1.0; load += 0.05) {
    const Reading sure = cpu_power_reading(known, load, 1.0);
    const Reading unsure = cpu_power_reading(unknown, load, 1.0);
    EXPECT_LT(sure.low, sure.joules);
    EXPECT_GT(sure.high, sure.joules);
    EXPECT_GT(unsure.high - unsure.low, sure.high - sure.low);
  }
}

// Defect: a virtual machine that sees some threads of a processor charged for the whole processor.
TEST(PowerModel, KnowsProcessorsAndTheShareThatAVirtualMachineSees) {
  FakeMachine machine;
  machine.add_proc(16, "AMD EPYC 7543P 32-Core Processor");
  EXPECT_DOUBLE_EQ(cpu_design_power(machine.roots().procfs, {}).watts, 225.0 * 16 / 64);
  machine.add_proc(16, "AMD EPYC 75431 32-Core Processor");
  EXPECT_DOUBLE_EQ(cpu_design_power(machine.roots().procfs, {}).watts, 64.0);
}

// Defect: energy.cpu_tdp_watts accepted and ignored.
TEST(PowerModel, TakesTheConfiguredDesignPower) {
  FakeMachine machine;
  machine.add_proc(16, "AMD EPYC 7543 32-Core Processor");
  EnergyConfig config;
  config.cpu_tdp_watts = 90.0;
  EXPECT_DOUBLE_EQ(cpu_design_power(machine.roots().procfs, config).watts, 90.0);
}

// Defect: GB and GiB, or watts and joules, mixed up.
TEST(PowerModel, MemoryFollowsItsSize) {
  FakeMachine machine;
  machine.add_proc(1, "Some Processor");
  const auto meter = make_memory_model_meter(machine.roots().procfs);
  EXPECT_EQ(meter->read(5.0).joules, 0.0);
  const Reading reading = meter->read(7.0);
  EXPECT_DOUBLE_EQ(reading.joules, 16.0 * 0.3725 * 2.0);
  EXPECT_DOUBLE_EQ(reading.low, 2.5);
  EXPECT_DOUBLE_EQ(reading.high, 20.0);
}

// Defect: an unreadable /proc counted as 0 J.
TEST(PowerModel, SaysWhenItHasNothingToModelFrom) {
  FakeMachine machine;
  EXPECT_TRUE(make_cpu_model_meter(machine.roots().procfs, {})->read(0.0).is_missing());
  EXPECT_TRUE(make_memory_model_meter(machine.roots().procfs)->read(0.0).is_missing());
}

}  // namespace
}  // namespace lmtrain

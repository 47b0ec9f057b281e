#include "energy/meters/power_model.h"

#include <cstdlib>

#include <gtest/gtest.h>

#include "energy/meters/processor_table.h"
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
  machine.add_proc(16, "Some Maker 75431 32-Core Processor");
  EXPECT_DOUBLE_EQ(cpu_design_power(machine.roots().procfs, {}).watts, 64.0);
}

// Defect: a processor that is not in the table taken for 4 W per thread: two EPYC 9845 at 2,560 W
// for 780; a model's version or suffix overlooked; a design power that the model goes beyond.
TEST(PowerModel, KnowsServersByModelAndByFamily) {
  FakeMachine machine;
  const auto power = [&](int threads, int sockets, const std::string& model) {
    machine.add_proc(threads, model, sockets);
    return cpu_design_power(machine.roots().procfs, {});
  };
  EXPECT_DOUBLE_EQ(power(640, 2, "AMD EPYC 9845 160-Core Processor").watts, 780.0);
  EXPECT_DOUBLE_EQ(power(128, 1, "INTEL(R) XEON(R) PLATINUM 8592+").watts, 350.0);
  EXPECT_DOUBLE_EQ(power(32, 1, "Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz").watts, 115.0);
  EXPECT_DOUBLE_EQ(power(48, 2, "Intel(R) Xeon(R) CPU E5-2670 v3 @ 2.30GHz").watts, 240.0);
  const CpuDesignPower family = power(256, 2, "AMD EPYC 9595 64-Core Processor");
  EXPECT_NE(family.source.find("its family"), std::string::npos) << family.source;
  EXPECT_DOUBLE_EQ(family.watts, 6.25 * 128);
  EXPECT_LE(family.high, 1000.0) << "no known processor of the family has more than 500 W";
  const CpuDesignPower unknown = power(640, 2, "Some Processor");
  EXPECT_DOUBLE_EQ(unknown.watts, 1000.0) << "two processors of at most 500 W";
  for (const KnownProcessor& known : known_processors()) {
    const CpuDesignPower found = power(known.threads, 1, "Maker(R) " + known.name + " CPU");
    EXPECT_DOUBLE_EQ(found.watts, known.watts) << known.name;
    EXPECT_EQ(found.high, found.watts) << "the model stays within the design power";
  }
  EXPECT_GE(known_processors().size(), 400u);
}

// Defect: the compiled tables and the data that they are made from differ.
TEST(PowerModel, TheTablesAreThoseOfTheScript) {
  EXPECT_EQ(std::system(LMTRAIN_SOURCE_DIR "/scripts/make_processor_table.sh --check"), 0);
}

// Defect: energy.cpu_tdp_watts accepted and ignored.
TEST(PowerModel, TakesTheConfiguredDesignPower) {
  FakeMachine machine;
  machine.add_proc(16, "AMD EPYC 7543 32-Core Processor");
  EnergyConfig config;
  config.cpu_tdp_watts = 90.0;
  EXPECT_DOUBLE_EQ(cpu_design_power(machine.roots().procfs, config).watts, 90.0);
  EXPECT_EQ(cpu_design_power(machine.roots().procfs, config).doubt, "");
  config.cpu_tdp_watts = 900.0;  // of the whole processor, on a small virtual machine
  EXPECT_NE(cpu_design_power(machine.roots().procfs, config).doubt.find("is 56 W for each of"),
            std::string::npos);
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

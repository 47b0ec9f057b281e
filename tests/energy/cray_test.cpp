#include <algorithm>

#include <gtest/gtest.h>

#include "energy/meters/doctor.h"
#include "energy/meters/sensors.h"
#include "tests/energy/fake_machine.h"

namespace lmtrain {
namespace {

class Cray : public testing::Test {
 protected:
  Cray() {
    machine_.add_proc(2, "Some Processor");
    machine_.write(path("raw_scan_hz"), "10");
    set("energy", "1000 J 1700000000000000 us");
    set("cpu_energy", "300 J 1700000000000000 us");
    set("accel0_energy", "500 J 1700000000000000 us");
    set("freshness", "77");
  }

  static std::string path(const std::string& counter) { return "sys/cray/pm_counters/" + counter; }
  void set(const std::string& counter, const std::string& text) const {
    machine_.write(path(counter), text);
  }
  std::vector<std::string> keys(int local_rank, const std::vector<std::string>& gpus) {
    std::vector<std::string> all;
    for (const auto& meter : choose_sensors(machine_.roots(), {}, local_rank, gpus)) {
      all.push_back(meter->info().key);
    }
    return all;
  }
  // The node's meter, whose count has been started at 0 s.
  std::unique_ptr<Meter> started_meter() {
    auto meters = choose_sensors(machine_.roots(), {}, 0, {""});
    EXPECT_EQ(meters.size(), 1u);
    EXPECT_EQ(meters.at(0)->info().key, "cray:node");
    EXPECT_EQ(meters.at(0)->read(0.0).joules, 0.0);
    return std::move(meters.at(0));
  }
  Reading read(Meter& meter, double now, int joules, int freshness) const {
    set("energy", std::to_string(joules) + " J 1700000000000000 us");
    set("freshness", std::to_string(freshness));
    return meter.read(now);
  }

  FakeMachine machine_;
};

// Defect: joules taken for another unit, the time stamp for a part of the value, or the energy
// since the node was started counted.
TEST_F(Cray, CountsTheJoulesOfTheNode) {
  const auto meter = started_meter();
  const Reading reading = read(*meter, 2.0, 3500, 97);
  EXPECT_DOUBLE_EQ(reading.joules, 2500.0);
  EXPECT_DOUBLE_EQ(reading.seconds, 2.0);
  EXPECT_DOUBLE_EQ(reading.low, 2375.0);
  EXPECT_DOUBLE_EQ(reading.high, 2625.0);
  machine_.write(path("energy"), "3600 J");  // older nodes give no time stamp
  machine_.write(path("freshness"), "107 1700000000000000 us");
  EXPECT_DOUBLE_EQ(meter->read(3.0).joules, 100.0);
}

// Defect: a controller that has stopped counted as a node that draws nothing, or its energy lost
// when it goes on.
TEST_F(Cray, CountersThatStandStillAreAGapUntilTheyGoOn) {
  const auto meter = started_meter();
  const Reading too_early = meter->read(0.4);
  EXPECT_FALSE(too_early.is_missing());
  EXPECT_EQ(too_early.seconds, 0.0) << "no scan has been due for long: this time is still open";
  const Reading stale = meter->read(0.6);
  EXPECT_NE(stale.missing.find("have not been renewed for 0.6 s"), std::string::npos)
      << stale.missing;
  const Reading back = read(*meter, 4.0, 5000, 78);
  EXPECT_DOUBLE_EQ(back.joules, 4000.0);
  EXPECT_DOUBLE_EQ(back.seconds, 4.0);
}

// Defect: the scan rate ignored, so that a slow controller looks stopped at each reading.
TEST_F(Cray, TakesTheTimeOfAScanFromTheNode) {
  machine_.write(path("raw_scan_hz"), "1");
  const auto meter = started_meter();
  EXPECT_FALSE(meter->read(4.9).is_missing());
  EXPECT_TRUE(meter->read(5.1).is_missing());
}

// Defect: a counter that cannot be read, or is reset, counted as 0 J or as negative energy.
TEST_F(Cray, AnUnreadableOrResetCounterIsAGap) {
  const auto meter = started_meter();
  machine_.write(path("energy"), "none");
  machine_.write(path("freshness"), "78");
  EXPECT_NE(meter->read(1.0).missing.find("is not a number of J"), std::string::npos);
  machine_.remove(path("energy"));
  EXPECT_NE(meter->read(2.0).missing.find("No such file"), std::string::npos);
  EXPECT_DOUBLE_EQ(read(*meter, 3.0, 1900, 79).joules, 900.0);
  machine_.remove(path("freshness"));
  EXPECT_TRUE(meter->read(4.0).is_missing());
  EXPECT_EQ(read(*meter, 5.0, 12, 3).missing, "its counter was reset");
  EXPECT_DOUBLE_EQ(read(*meter, 6.0, 62, 13).joules, 50.0);
}

// Defect: processors, memory or GPUs counted beside the counter of the node that contains them.
TEST_F(Cray, TheNodeContainsEverythingElse) {
  machine_.add_zone("intel-rapl:0", "package-0", 0);
  machine_.add_zone("intel-rapl:0:0", "dram", 0);
  machine_.use_fake_nvml("GPU-a NVIDIA_GH200_480GB 1 1\nGPU-b H100 1 1");
  const std::vector<std::string> gpus = {"GPU-a", "GPU-b", "GPU-unknown"};
  EXPECT_EQ(keys(0, gpus), std::vector<std::string>{"cray:node"});
  EXPECT_EQ(keys(1, gpus), std::vector<std::string>{});
  EXPECT_EQ(keys(2, gpus), std::vector<std::string>{});
}

// Defect: a node without readable counters left without any energy.
TEST_F(Cray, OtherSensorsStandInWhereItCannotBeRead) {
  machine_.add_zone("intel-rapl:0", "package-0", 0);
  machine_.write(path("energy"), "1000 W 1700000000000000 us");
  EXPECT_EQ(keys(0, {""}), (std::vector<std::string>{"rapl:package-0", "model:memory"}));
}

// Defect: a doctor that adds the parts to the node, or hides why the node cannot be read.
TEST_F(Cray, DoctorTellsThePartsFromTheNode) {
  machine_.use_fake_nvml("GPU-a H100 1 1");
  const auto find = [&](const std::string& name) {
    const auto all = describe_sensors(machine_.roots(), {});
    return *std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
  };
  EXPECT_TRUE(find("cray:node").counted);
  EXPECT_FALSE(find("cray:accel0").counted);
  EXPECT_NE(find("cray:cpu").remarks.find("a part of cray:node"), std::string::npos);
  EXPECT_FALSE(find("nvml:GPU-a").counted);
  EXPECT_NE(find("nvml:GPU-a").remarks.find("its energy is in cray:node"), std::string::npos);
  machine_.remove(path("freshness"));
  EXPECT_FALSE(find("cray:node").readable);
  EXPECT_NE(find("cray:node").remarks.find("freshness: No such file"), std::string::npos);
  EXPECT_TRUE(find("nvml:GPU-a").counted);
}

}  // namespace
}  // namespace lmtrain

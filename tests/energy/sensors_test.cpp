#include "energy/meters/sensors.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "energy/meters/doctor.h"
#include "tests/energy/fake_machine.h"

namespace lmtrain {
namespace {

// The keys that each local rank owns.
std::vector<std::vector<std::string>> owned(FakeMachine& machine,
                                            const std::vector<std::string>& gpus) {
  std::vector<std::vector<std::string>> keys(gpus.size());
  for (size_t rank = 0; rank < gpus.size(); ++rank) {
    for (const auto& meter : choose_sensors(machine.roots(), {}, static_cast<int>(rank), gpus)) {
      keys[rank].push_back(meter->info().key);
    }
  }
  return keys;
}

using Keys = std::vector<std::vector<std::string>>;

// Defect: four ranks on a node report four times the truth.
TEST(Sensors, FourRanksOfANodeCountItOnce) {
  FakeMachine machine;
  machine.add_zone("intel-rapl:0", "package-0", 0);
  machine.add_zone("intel-rapl:0:0", "dram", 1);
  std::vector<std::unique_ptr<Meter>> all;
  for (int rank = 0; rank < 4; ++rank) {
    for (auto& meter : choose_sensors(machine.roots(), {}, rank, {"", "", "", ""})) {
      all.push_back(std::move(meter));
    }
  }
  for (const auto& meter : all) meter->read(0.0);
  machine.set_energy("intel-rapl:0", 70'000'000);
  machine.set_energy("intel-rapl:0:0", 9'000'001);
  double joules = 0.0;
  for (const auto& meter : all) joules += meter->read(1.0).joules;
  EXPECT_DOUBLE_EQ(joules, 79.0);
}

// Defect: all GPUs of a node counted when one is used, or one counted by two ranks under two names.
TEST(Sensors, AGpuIsOwnedByTheFirstRankThatUsesIt) {
  FakeMachine machine;
  machine.add_zone("intel-rapl:0", "package-0", 0);
  machine.add_zone("intel-rapl:0:0", "dram", 1);
  machine.use_fake_nvml("GPU-a H100 1 1\nGPU-b H100 1 1\nGPU-c H100 1 1");
  EXPECT_EQ(owned(machine, {"1", "GPU-c", "GPU-b"}),
            (Keys{{"rapl:package-0", "rapl:package-0/dram", "nvml:GPU-b"}, {"nvml:GPU-c"}, {}}));
}

// Defect: a GPU that cannot be metered counted as 0 J instead of as missing.
TEST(Sensors, AGpuWithoutADriverIsMissing) {
  FakeMachine machine;
  machine.add_proc(2, "Some Processor");
  const auto meters = choose_sensors(machine.roots(), {}, 0, {"GPU-a"});
  ASSERT_EQ(meters.size(), 3u);
  EXPECT_EQ(meters[2]->info().kind, DeviceKind::kGpu);
  EXPECT_TRUE(meters[2]->read(0.0).is_missing());
}

// Defect: hwmon and RAPL of the same processors added up.
TEST(Sensors, HwmonStandsInForRaplOnly) {
  FakeMachine machine;
  machine.add_proc(2, "Some Processor");
  machine.write("sys/class/hwmon/hwmon0/name", "amd_energy");
  machine.write("sys/class/hwmon/hwmon0/energy1_input", "1");
  machine.write("sys/class/hwmon/hwmon0/energy1_label", "Esocket0");
  EXPECT_EQ(owned(machine, {""}), (Keys{{"hwmon:amd_energy/Esocket0", "model:memory"}}));
  machine.add_zone("intel-rapl:0", "package-0", 0);
  EXPECT_EQ(owned(machine, {""}), (Keys{{"rapl:package-0", "model:memory"}}));
}

// Defect: a superchip's processor counted by its GPU's counter and again by a model.
TEST(Sensors, ASuperchipCoversItsProcessor) {
  FakeMachine machine;
  machine.add_proc(2, "Some Processor");
  machine.use_fake_nvml("GPU-a NVIDIA_GH200_480GB 1 1");
  EXPECT_EQ(owned(machine, {"0", ""}), (Keys{{"nvml:GPU-a"}, {}}));
}

// Defect: a machine without sensors that reports nothing, as most clouds are.
TEST(Sensors, AreModelledWhereNothingCanBeRead) {
  FakeMachine machine;
  machine.add_proc(2, "Some Processor");
  machine.add_zone("intel-rapl:0", "package-0", 0);
  machine.write(FakeMachine::zone_path("intel-rapl:0") + "/energy_uj", "no number");
  EXPECT_EQ(owned(machine, {"", ""}), (Keys{{"model:cpu", "model:memory"}, {}}));
}

FoundSensor made_up(const std::string& key, DeviceKind kind, std::set<DeviceKind> covers) {
  FoundSensor sensor;
  sensor.info = {key, key, kind, Quality::kMeasured};
  sensor.covers = std::move(covers);
  sensor.owner = 0;
  return sensor;
}

// Which of these sensors are counted; each has a source of its own.
std::vector<std::string> counted(const std::vector<FoundSensor>& sensors) {
  std::vector<SensorSource> sources;
  for (const FoundSensor& sensor : sensors) {
    sources.push_back([sensor](const SensorSearch&) { return std::vector<FoundSensor>{sensor}; });
  }
  std::vector<std::string> keys;
  for (const ListedSensor& listed : list_sensors({}, sources)) {
    if (listed.counted()) keys.push_back(listed.sensor.info.key);
  }
  return keys;
}

// Defect: a sensor counted beside one that contains it, or preferred to it because its source
// stands first in the list.
TEST(Sensors, TheSensorThatCoversMostIsCountedWhereverItStands) {
  const FoundSensor cpu = made_up("cpu", DeviceKind::kCpu, {DeviceKind::kCpu});
  const FoundSensor memory = made_up("memory", DeviceKind::kMemory, {DeviceKind::kMemory});
  const FoundSensor gpu = made_up("gpu", DeviceKind::kGpu, {});
  const FoundSensor board =
      made_up("board", DeviceKind::kCpu, {DeviceKind::kCpu, DeviceKind::kMemory});
  using Names = std::vector<std::string>;
  EXPECT_EQ(counted({cpu, memory, gpu, board}), (Names{"gpu", "board"}));
  EXPECT_EQ(counted({board, gpu, memory, cpu}), (Names{"board", "gpu"}));
  EXPECT_EQ(counted({cpu, memory, gpu}), (Names{"cpu", "memory", "gpu"}));
  FoundSensor second = cpu;
  second.info.key = "second";
  EXPECT_EQ(counted({second, cpu}), Names{"second"}) << "equal ones: the first of the list";
}

// Defect: a sensor that is not counted itself, or that no rank owns, displaces others all the same.
TEST(Sensors, OnlyACountedSensorDisplacesOthers) {
  const FoundSensor cpu = made_up("cpu", DeviceKind::kCpu, {DeviceKind::kCpu});
  FoundSensor board = made_up("board", DeviceKind::kCpu, {DeviceKind::kCpu, DeviceKind::kMemory});
  board.owner.reset();
  EXPECT_EQ(counted({board, cpu}).back(), "cpu");
  board.owner = 0;
  board.why_not_counted = "it cannot be read";
  EXPECT_EQ(counted({board, cpu}), std::vector<std::string>{"cpu"});
}

// Defect: a doctor that hides a sensor, its reason, or that the model is used instead.
TEST(Doctor, TellsEverySensorAndWhy) {
  FakeMachine machine;
  machine.add_proc(2, "Some Processor");
  machine.add_zone("intel-rapl:0", "package-0", 0);
  machine.add_zone("intel-rapl:1", "psys", 0);
  machine.write(FakeMachine::zone_path("intel-rapl:0") + "/energy_uj", "no number");
  machine.use_fake_nvml("GPU-a H100 - 5000");
  std::map<std::string, SensorDescription> found;
  for (const auto& sensor : describe_sensors(machine.roots(), {})) found[sensor.name] = sensor;
  EXPECT_FALSE(found.at("rapl:package-0").readable);
  EXPECT_NE(found.at("rapl:package-0").remarks.find("is not a number"), std::string::npos);
  EXPECT_FALSE(found.at("rapl:psys").counted);
  EXPECT_TRUE(found.at("nvml:GPU-a").counted);
  EXPECT_NE(found.at("nvml:GPU-a").remarks.find("power only"), std::string::npos);
  EXPECT_TRUE(found.at("model:cpu").counted);
  EXPECT_FALSE(found.at("rapl:package-0").counted);
  EXPECT_NE(found.at("model:cpu").remarks.find("8.0 W"), std::string::npos);
}

// Defect: a doctor that says nothing of what is absent, or why a sensor that works is not counted.
TEST(Doctor, TellsWhatIsAbsentAndWhatCoversTheRest) {
  FakeMachine machine;
  machine.add_proc(2, "Some Processor");
  machine.write("sys/class/hwmon/hwmon0/name", "amd_energy");
  machine.write("sys/class/hwmon/hwmon0/energy1_input", "1");
  machine.write("sys/class/hwmon/hwmon0/energy1_label", "Esocket0");
  std::map<std::string, SensorDescription> found;
  for (const auto& sensor : describe_sensors(machine.roots(), {})) found[sensor.name] = sensor;
  EXPECT_NE(found.at("rapl").remarks.find("no zone under"), std::string::npos);
  EXPECT_NE(found.at("nvml").remarks.find("no NVIDIA driver"), std::string::npos);
  EXPECT_TRUE(found.at("hwmon:amd_energy/Esocket0").counted);
  EXPECT_FALSE(found.at("model:cpu").counted);
  EXPECT_NE(found.at("model:cpu").remarks.find("its energy is in hwmon:amd_energy/Esocket0"),
            std::string::npos);
  EXPECT_TRUE(found.at("model:memory").counted);
}

}  // namespace
}  // namespace lmtrain

#include "energy/sensors.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "energy/doctor.h"
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
  machine.add_zone("intel-rapl:0:0", "dram", 0);
  std::vector<std::unique_ptr<Meter>> all;
  for (int rank = 0; rank < 4; ++rank) {
    for (auto& meter : choose_sensors(machine.roots(), {}, rank, {"", "", "", ""})) {
      all.push_back(std::move(meter));
    }
  }
  for (const auto& meter : all) meter->read(0.0);
  machine.set_energy("intel-rapl:0", 70'000'000);
  machine.set_energy("intel-rapl:0:0", 9'000'000);
  double joules = 0.0;
  for (const auto& meter : all) joules += meter->read(1.0).joules;
  EXPECT_DOUBLE_EQ(joules, 79.0);
}

// Defect: all GPUs of a node counted when one is used, or one counted by two ranks under two names.
TEST(Sensors, AGpuIsOwnedByTheFirstRankThatUsesIt) {
  FakeMachine machine;
  machine.add_zone("intel-rapl:0", "package-0", 0);
  machine.add_zone("intel-rapl:0:0", "dram", 0);
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
  EXPECT_NE(found.at("rapl:package-0").remarks.find("is no number"), std::string::npos);
  EXPECT_FALSE(found.at("rapl:psys").counted);
  EXPECT_TRUE(found.at("nvml:GPU-a").counted);
  EXPECT_NE(found.at("nvml:GPU-a").remarks.find("power only"), std::string::npos);
  EXPECT_TRUE(found.at("model:cpu").counted);
  EXPECT_NE(found.at("model:cpu").remarks.find("8.0 W"), std::string::npos);
}

}  // namespace
}  // namespace lmtrain

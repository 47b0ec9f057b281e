#include <algorithm>

#include <gtest/gtest.h>

#include "energy/meters/doctor.h"
#include "energy/meters/sensors.h"
#include "tests/energy/fake_machine.h"

namespace lmtrain {
namespace {

constexpr const char* kMi210 = "0x740f";
constexpr const char* kMi250 = "0x740c";
constexpr const char* kMi300A = "0x74a0";

using Keys = std::vector<std::string>;

class Amdgpu : public testing::Test {
 protected:
  Amdgpu() { machine_.add_proc(2, "Some Processor"); }

  // A die whose hwmon folder links to its PCI device, as in a real tree.
  void add_die(const std::string& hwmon, const std::string& address, const char* pci_device) const {
    const std::string device = "sys/devices/pci0000:00/" + address;
    machine_.write(device + "/device", pci_device);
    machine_.write(file(hwmon, "name"), "amdgpu");
    std::filesystem::create_directory_symlink(machine_.root() / device,
                                              machine_.root() / file(hwmon, "device"));
  }
  static std::string file(const std::string& hwmon, const std::string& name) {
    return "sys/class/hwmon/" + hwmon + "/" + name;
  }
  void set(const std::string& hwmon, const std::string& name, const std::string& value) const {
    machine_.write(file(hwmon, name), value);
  }

  // The meters of GPUs that a rank owns.
  std::vector<std::unique_ptr<Meter>> gpu_meters(int local_rank, const Keys& gpus) {
    auto meters = choose_sensors(machine_.roots(), {}, local_rank, gpus);
    std::erase_if(meters, [](const auto& meter) { return meter->info().kind != DeviceKind::kGpu; });
    return meters;
  }
  Keys gpu_keys(int local_rank, const Keys& gpus) {
    Keys keys;
    for (const auto& meter : gpu_meters(local_rank, gpus)) keys.push_back(meter->info().key);
    return keys;
  }
  SensorDescription description(const std::string& name) {
    const auto all = describe_sensors(machine_.roots(), {});
    return *std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
  }

  FakeMachine machine_;
};

// Defect: microwatts taken for another unit, a gap bridged by a guess, or 0 W taken for a
// measurement.
TEST_F(Amdgpu, IntegratesItsPower) {
  add_die("hwmon1", "0000:c1:00.0", kMi210);
  set("hwmon1", "power1_average", "300000000");
  const auto meters = gpu_meters(0, {"amd:0"});
  ASSERT_EQ(meters.size(), 1u);
  Meter& meter = *meters[0];
  EXPECT_EQ(meter.info().key, "amdgpu:0000:c1:00.0");
  EXPECT_EQ(meter.read(0.0).joules, 0.0);
  set("hwmon1", "power1_average", "500000000");
  const Reading reading = meter.read(2.0);
  EXPECT_DOUBLE_EQ(reading.joules, 800.0);
  EXPECT_DOUBLE_EQ(reading.low, 720.0);
  EXPECT_DOUBLE_EQ(reading.high, 880.0);
  set("hwmon1", "power1_average", "0");
  EXPECT_NE(meter.read(3.0).missing.find("shows 0 W"), std::string::npos);
  set("hwmon1", "power1_average", "100000000");
  EXPECT_EQ(meter.read(4.0).seconds, 0.0);
  EXPECT_DOUBLE_EQ(meter.read(6.5).joules, 250.0);
}

// Defect: cards that show only power1_input (those from the MI300 on) not metered, or an energy
// counter passed over for the less exact power.
TEST_F(Amdgpu, TakesTheInputThatThereIs) {
  add_die("hwmon1", "0000:c1:00.0", kMi210);
  set("hwmon1", "power1_input", "200000000");
  const auto power = gpu_meters(0, {"amd:0"});
  EXPECT_EQ(power.at(0)->read(0.0).joules, 0.0);
  EXPECT_DOUBLE_EQ(power.at(0)->read(3.0).joules, 600.0);
  set("hwmon1", "energy1_input", "7000000");
  const auto energy = gpu_meters(0, {"amd:0"});
  EXPECT_EQ(energy.at(0)->read(0.0).joules, 0.0);
  set("hwmon1", "energy1_input", "19250000");
  EXPECT_DOUBLE_EQ(energy.at(0)->read(1.0).joules, 12.25);
}

// Defect: the energy of a card with two dies counted by each of the ranks on them, or the second
// die counted as a measured zero.
TEST_F(Amdgpu, ACardOfTwoDiesIsOneSensor) {
  add_die("hwmon4", "0000:c1:00.0", kMi250);
  add_die("hwmon2", "0000:c6:00.0", kMi250);
  add_die("hwmon9", "0000:c9:00.0", kMi250);
  add_die("hwmon7", "0000:ce:00.0", kMi250);
  set("hwmon4", "power1_average", "400000000");
  set("hwmon2", "power1_average", "0");
  set("hwmon9", "power1_average", "410000000");  // newer drivers give the second die no file
  const Keys gpus = {"amd:1", "amd:0", "amd:0000:ce:00.0", "amd:2"};
  EXPECT_EQ(gpu_keys(0, gpus), Keys{"amdgpu:0000:c1:00.0"});
  EXPECT_EQ(gpu_keys(1, gpus), Keys{});
  EXPECT_EQ(gpu_keys(2, gpus), Keys{"amdgpu:0000:c9:00.0"});
  EXPECT_EQ(gpu_keys(3, gpus), Keys{});
  double joules = 0.0;
  for (int rank = 0; rank < 4; ++rank) {
    for (const auto& meter : gpu_meters(rank, gpus)) {
      EXPECT_FALSE(meter->read(0.0).is_missing());
      joules += meter->read(10.0).joules;
    }
  }
  EXPECT_DOUBLE_EQ(joules, 8100.0);
  EXPECT_NE(description("amdgpu:0000:c6:00.0").remarks.find("0000:c1:00.0 shows the whole card"),
            std::string::npos);
}

// Defect: an idle card of one die that shows 0 W taken for a part of the card before it.
TEST_F(Amdgpu, ACardThatShowsNothingIsMissing) {
  add_die("hwmon1", "0000:03:00.0", kMi210);
  add_die("hwmon2", "0000:43:00.0", kMi210);
  set("hwmon1", "power1_average", "90000000");
  set("hwmon2", "power1_average", "0");
  const Keys gpus = {"amd:0000:43:00.0"};
  EXPECT_EQ(gpu_keys(0, gpus), Keys{"amdgpu:0000:43:00.0"});
  EXPECT_TRUE(gpu_meters(0, gpus).at(0)->read(0.0).is_missing());
  EXPECT_EQ(gpu_keys(0, {"amd:7"}), Keys{"amdgpu:amd:7"});
  EXPECT_NE(gpu_meters(0, {"amd:7"}).at(0)->read(0.0).missing.find("no folder of amdgpu"),
            std::string::npos);
}

// Defect: one card counted by two ranks that name it differently, or the order of hwmon's numbers
// taken for that of the PCI addresses.
TEST_F(Amdgpu, ACardBelongsToTheFirstRankThatUsesIt) {
  add_die("hwmon1", "0000:43:00.0", kMi210);
  add_die("hwmon2", "0000:03:00.0", kMi210);
  machine_.write("sys/devices/pci0000:00/0000:43:00.0/unique_id", "0123456789abcdef");
  set("hwmon1", "power1_average", "90000000");
  set("hwmon2", "power1_average", "90000000");
  const Keys gpus = {"", "amd:GPU-0123456789ABCDEF", "amd:1", "amd:0000:43:00.0", "amd:0"};
  EXPECT_EQ(gpu_keys(0, gpus), Keys{});
  EXPECT_EQ(gpu_keys(1, gpus), Keys{"amdgpu:0000:43:00.0"});
  EXPECT_EQ(gpu_keys(2, gpus), Keys{});
  EXPECT_EQ(gpu_keys(3, gpus), Keys{});
  EXPECT_EQ(gpu_keys(4, gpus), Keys{"amdgpu:0000:03:00.0"});
}

// Defect: the index of an NVIDIA GPU taken for one of AMD's, or the other way about.
TEST_F(Amdgpu, EachMakerHasItsOwnSelectors) {
  add_die("hwmon1", "0000:03:00.0", kMi210);
  set("hwmon1", "power1_average", "90000000");
  machine_.use_fake_nvml("GPU-a H100 1 1");
  EXPECT_EQ(gpu_keys(0, {"0"}), Keys{"nvml:GPU-a"});
  EXPECT_EQ(gpu_keys(0, {"amd:0"}), Keys{"amdgpu:0000:03:00.0"});
}

// Defect: cards that no rank computes on counted, or a card counted a second time by hwmon.
TEST_F(Amdgpu, CardsThatNoRankUsesAreNotCounted) {
  add_die("hwmon1", "0000:03:00.0", kMi210);
  set("hwmon1", "power1_average", "90000000");
  EXPECT_EQ(gpu_keys(0, {""}), Keys{});
  const SensorDescription card = description("amdgpu:0000:03:00.0");
  EXPECT_TRUE(card.readable);
  EXPECT_FALSE(card.counted);
  EXPECT_NE(card.remarks.find("no rank computes on it"), std::string::npos);
  for (const auto& sensor : describe_sensors(machine_.roots(), {})) {
    EXPECT_EQ(sensor.name.find("hwmon:amdgpu"), std::string::npos);
  }
}

// Defect: the processor and memory of an MI300A counted by its own sensor and again by a model.
TEST_F(Amdgpu, AnMi300ACoversItsProcessor) {
  add_die("hwmon1", "0000:03:00.0", kMi300A);
  set("hwmon1", "power1_input", "500000000");
  const auto meters = choose_sensors(machine_.roots(), {}, 0, {"amd:0"});
  ASSERT_EQ(meters.size(), 1u);
  EXPECT_EQ(meters[0]->info().key, "amdgpu:0000:03:00.0");
  EXPECT_EQ(choose_sensors(machine_.roots(), {}, 0, {""}).size(), 2u) << "the two models";
}

}  // namespace
}  // namespace lmtrain

#include "energy/meters/hwmon.h"

#include <gtest/gtest.h>

#include "tests/energy/fake_machine.h"

namespace lmtrain {
namespace {

std::vector<HwmonSensor> counted(FakeMachine& machine) {
  std::vector<HwmonSensor> sensors = find_hwmon_sensors(machine.roots().sysfs);
  std::erase_if(sensors, [](const HwmonSensor& sensor) { return !sensor.counted(); });
  return sensors;
}

// Defect: the cores of amd_energy added to the sockets that contain them.
TEST(Hwmon, CountsSocketsNotTheirCores) {
  FakeMachine machine;
  machine.write("sys/class/hwmon/hwmon3/name", "amd_energy");
  machine.write("sys/class/hwmon/hwmon3/energy1_input", "1000000");
  machine.write("sys/class/hwmon/hwmon3/energy1_label", "Ecore000");
  machine.write("sys/class/hwmon/hwmon3/energy2_input", "7000000");
  machine.write("sys/class/hwmon/hwmon3/energy2_label", "Esocket0");
  const auto sensors = counted(machine);
  ASSERT_EQ(sensors.size(), 1u);
  EXPECT_EQ(sensors[0].key, "hwmon:amd_energy/Esocket0");
  const auto meter = make_hwmon_meter(sensors[0]);
  EXPECT_EQ(meter->read(0.0).joules, 0.0);
  machine.write("sys/class/hwmon/hwmon3/energy2_input", "19500000");
  EXPECT_DOUBLE_EQ(meter->read(1.0).joules, 12.5);
}

// Defect: power taken for energy, microwatts for milliwatts, or a gap bridged with a guess.
TEST(Hwmon, IntegratesPowerBetweenReadingsButNotOverAGap) {
  FakeMachine machine;
  const std::string input = "sys/class/hwmon/hwmon0/power1_input";
  machine.write("sys/class/hwmon/hwmon0/name", "fam15h_power");
  machine.write(input, "40000000");
  const auto meter = make_hwmon_meter(counted(machine).at(0));
  EXPECT_EQ(meter->read(10.0).joules, 0.0);
  machine.write(input, "60000000");
  EXPECT_DOUBLE_EQ(meter->read(12.0).joules, 100.0);
  machine.remove(input);
  EXPECT_TRUE(meter->read(13.0).is_missing());
  machine.write(input, "80000000");
  const Reading back = meter->read(20.0);
  EXPECT_EQ(back.joules, 0.0);
  EXPECT_EQ(back.seconds, 0.0);
  EXPECT_DOUBLE_EQ(meter->read(21.0).joules, 80.0);
}

// Defect: a power counted twice because it is shown as average and as input; a disk counted.
TEST(Hwmon, CountsAGraceProcessorOnceAndNothingUnknown) {
  FakeMachine machine;
  machine.write("sys/class/hwmon/hwmon0/name", "power_meter");
  machine.write("sys/class/hwmon/hwmon0/power1_average", "500000000");
  machine.write("sys/class/hwmon/hwmon0/power1_oem_info", "Module Power Socket 0");
  machine.write("sys/class/hwmon/hwmon1/name", "power_meter");
  machine.write("sys/class/hwmon/hwmon1/power1_average", "200000000");
  machine.write("sys/class/hwmon/hwmon1/power1_input", "200000000");
  machine.write("sys/class/hwmon/hwmon1/power1_oem_info", "Grace Power Socket 0");
  machine.write("sys/class/hwmon/hwmon2/name", "nvme");
  machine.write("sys/class/hwmon/hwmon2/power1_input", "5000000");
  const auto sensors = counted(machine);
  ASSERT_EQ(sensors.size(), 1u);
  EXPECT_EQ(sensors[0].key, "hwmon:power_meter/Grace Power Socket 0");
}

}  // namespace
}  // namespace lmtrain

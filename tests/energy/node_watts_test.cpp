#include <chrono>

#include <gtest/gtest.h>

#include "energy/meters/power_model.h"
#include "energy/meters/sensors.h"
#include "tests/energy/fake_machine.h"

namespace lmtrain {
namespace {

class NodeWatts : public testing::Test {
 protected:
  NodeWatts() {
    machine_.add_proc(2, "Some Processor");
    config_.node_watts_file = machine_.root() / "watts";
  }
  std::vector<std::unique_ptr<Meter>> meters() {
    return choose_sensors(machine_.roots(), config_, 0, {""});
  }
  std::vector<std::string> keys() {
    std::vector<std::string> all;
    for (const auto& meter : meters()) all.push_back(meter->info().key);
    return all;
  }

  FakeMachine machine_;
  EnergyConfig config_;
};

using Keys = std::vector<std::string>;

// Defect: the node's power added to that of the parts that it contains, or left out.
TEST_F(NodeWatts, TheFileCountsInPlaceOfAllSensorsOfTheNode) {
  machine_.add_zone("intel-rapl:0", "package-0", 0);
  machine_.write("watts", "412.5");
  EXPECT_EQ(keys(), (Keys{"file:node"}));
  const auto meter = std::move(meters().at(0));
  EXPECT_EQ(meter->read(10.0).joules, 0.0);
  machine_.write("watts", "500");
  const Reading reading = meter->read(12.0);
  EXPECT_DOUBLE_EQ(reading.joules, 912.5);
  EXPECT_DOUBLE_EQ(reading.low, 0.9 * 912.5);
}

// Defect: a figure that is hours old, or a text, taken for the node's power.
TEST_F(NodeWatts, AFileThatIsNotRenewedIsAGap) {
  machine_.write("watts", "400");
  const auto meter = std::move(meters().at(0));
  meter->read(10.0);
  std::filesystem::last_write_time(
      machine_.root() / "watts",
      std::filesystem::file_time_type::clock::now() - std::chrono::minutes(5));
  EXPECT_NE(meter->read(11.0).missing.find("has not been renewed for 300 s"), std::string::npos);
  for (const char* text : {"0", "-5", "1e9", "nan", "400 W", "", "four"}) {
    machine_.write("watts", text);
    EXPECT_TRUE(meter->read(12.0).is_missing()) << text;
  }
  machine_.write("watts", "400");
  EXPECT_EQ(meter->read(13.0).joules, 0.0);  // not over the gap
  EXPECT_DOUBLE_EQ(meter->read(14.0).joules, 400.0);
}

// Defect: a run without any energy where the service of the node does not run.
TEST_F(NodeWatts, OtherSensorsStandInWhereItCannotBeRead) {
  machine_.add_zone("intel-rapl:0", "package-0", 0);
  EXPECT_EQ(keys(), (Keys{"rapl:package-0", "model:memory"}));
}

// Defect: a run that was to be metered by the node's controller is metered by a model, and nobody
// says so.
TEST_F(NodeWatts, WhatStandsInIsDoubted) {
  const auto all = meters();
  ASSERT_EQ(all.size(), 2u);
  for (const auto& meter : all)
    EXPECT_NE(meter->read(1.0).doubt.find("watts: No such file"), std::string::npos);
  machine_.write("watts", "400");
  EXPECT_EQ(meters().at(0)->read(1.0).doubt, "");
}

// Defect: the rest of the node counted beside a sensor that shows the whole node, or the network
// not.
TEST_F(NodeWatts, AllowancesCountWhatNoSensorShows) {
  config_.other_watts = 60;
  config_.network_watts = 15;
  config_.storage_watts = 5;
  EXPECT_EQ(keys(), (Keys{"model:cpu", "model:memory", "allowance:other", "allowance:network",
                          "allowance:storage"}));
  EXPECT_DOUBLE_EQ(allowance_watts(config_), 80);
  const auto meter = std::move(meters().at(3));
  EXPECT_EQ(meter->info().quality, Quality::kModelled);
  EXPECT_EQ(meter->read(1.0).joules, 0.0);
  const Reading reading = meter->read(5.0);
  EXPECT_DOUBLE_EQ(reading.joules, 60.0);
  EXPECT_DOUBLE_EQ(reading.low, 30.0);
  EXPECT_DOUBLE_EQ(reading.high, 90.0);
  machine_.write("watts", "400");
  EXPECT_EQ(keys(), (Keys{"file:node", "allowance:network", "allowance:storage"}));
}

}  // namespace
}  // namespace lmtrain

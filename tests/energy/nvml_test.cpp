#include "energy/nvml.h"

#include <gtest/gtest.h>

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

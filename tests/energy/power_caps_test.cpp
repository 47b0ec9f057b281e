#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/system_file.h"
#include "energy/caps/cap_sweep.h"
#include "energy/caps/held_caps.h"
#include "energy/caps/power_knobs.h"
#include "tests/energy/fake_machine.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

class PowerCaps : public testing::Test {
 protected:
  PowerCaps() : records_(machine_.root() / "records") {}

  static std::string policy(int number) {
    return "sys/devices/system/cpu/cpufreq/policy" + std::to_string(number);
  }
  void add_policy(int number, uint64_t highest, uint64_t lowest) {
    machine_.write(policy(number) + "/scaling_max_freq", std::to_string(highest));
    machine_.write(policy(number) + "/scaling_min_freq", std::to_string(lowest));
    machine_.write(policy(number) + "/cpuinfo_min_freq", "800000");
  }
  uint64_t frequency(int number) const {
    return read_system_number(machine_.root() / policy(number) / "scaling_max_freq").value.value();
  }
  HeldCaps::Taken take_processors(PowerKnobs& knobs) {
    return HeldCaps::take(
        knobs, records_, "cpufreq", [&] { return knobs.of_processors(); }, "");
  }
  // What a process leaves that is killed while it caps: its record, and no lock.
  void leave_record(const std::string& name, const std::string& text) {
    fs::create_directories(records_);
    machine_.write("records/" + name, text);
  }
  std::string gpu_line() const { return read_system_text(machine_.root() / "gpus").text.value(); }

  FakeMachine machine_;
  fs::path records_;
};

// Defect: a cap of all processors alike, though some have another highest frequency; one lower than
// the system takes; or one that stays when the run ends.
TEST_F(PowerCaps, ProcessorsAreCappedByShareAndComeBackExactly) {
  add_policy(0, 4'000'001, 800'000);
  add_policy(1, 2'000'000, 1'500'000);
  PowerKnobs knobs(machine_.roots());
  {
    const HeldCaps::Taken taken = take_processors(knobs);
    ASSERT_TRUE(taken.caps) << taken.why_not;
    EXPECT_DOUBLE_EQ(taken.caps->least_share(), 800'000.0 / 4'000'001);
    EXPECT_EQ(taken.caps->set_share(0.6), "");
    EXPECT_EQ(frequency(0), 2'400'001U);
    EXPECT_EQ(frequency(1), 1'500'000U);
    EXPECT_EQ(taken.caps->text(0.6), "2,400 MHz");
  }
  EXPECT_EQ(frequency(0), 4'000'001U);
  EXPECT_EQ(frequency(1), 2'000'000U);
  EXPECT_TRUE(fs::is_empty(records_));
}

// Defect: milliwatts taken for watts, or another GPU capped than the rank's.
TEST_F(PowerCaps, AGpuIsCappedByItsPowerLimit) {
  machine_.use_fake_nvml(
      "GPU-a H100 5000 600000 MIG-x 0 700000 200000\nGPU-b H100 5000 600000 MIG-y 0 650000 200000");
  PowerKnobs knobs(machine_.roots());
  const auto find = [&] { return knobs.of_gpu("GPU-b"); };
  {
    const HeldCaps::Taken taken = HeldCaps::take(knobs, records_, "nvml-GPU-b", find, "");
    ASSERT_TRUE(taken.caps) << taken.why_not;
    EXPECT_EQ(taken.caps->set_share(0.8), "");
    EXPECT_NE(gpu_line().find("GPU-a H100 5000 600000 MIG-x 0 700000"), std::string::npos);
    EXPECT_NE(gpu_line().find("GPU-b H100 5000 600000 MIG-y 0 520000"), std::string::npos);
    EXPECT_EQ(taken.caps->text(0.8), "520 W");
    EXPECT_EQ(taken.caps->set_share(0.1), "");
    EXPECT_NE(gpu_line().find("GPU-b H100 5000 600000 MIG-y 0 200000"), std::string::npos);
  }
  EXPECT_NE(gpu_line().find("GPU-b H100 5000 600000 MIG-y 0 650000"), std::string::npos);
  EXPECT_NE(knobs.of_gpu("MIG-y").why_not.find("part of a GPU"), std::string::npos);
}

// Defect: a right that is missing, a GPU without limits or an old driver that ends the run or is
// not explained.
TEST_F(PowerCaps, WhatCannotBeCappedSaysWhatIsMissing) {
  machine_.use_fake_nvml(
      "GPU-a H100 5000 600000 MIG-x 0 700000 200000 refused\nGPU-b T4 5000 60000 MIG-y 0 - -");
  PowerKnobs knobs(machine_.roots());
  EXPECT_NE(knobs.of_gpu("GPU-a").why_not.find("nvidia-smi -i GPU-a -pl WATTS"), std::string::npos)
      << knobs.of_gpu("GPU-a").why_not;
  EXPECT_NE(knobs.of_gpu("GPU-b").why_not.find("Not Supported"), std::string::npos);
  EXPECT_NE(knobs.of_gpu("GPU-z").why_not.find("knows no GPU"), std::string::npos);
  EXPECT_NE(knobs.of_processors().why_not.find("offers no frequencies"), std::string::npos);
  add_policy(0, 4'000'000, 800'000);
  add_policy(1, 4'000'000, 800'000);
  machine_.remove(policy(1) + "/cpuinfo_min_freq");
  EXPECT_NE(knobs.of_processors().why_not.find("cpuinfo_min_freq"), std::string::npos);
  EXPECT_TRUE(knobs.of_processors().knobs.empty());
}

TEST_F(PowerCaps, AUserWithoutTheRightIsToldHowToGetIt) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everything";
  add_policy(0, 4'000'000, 800'000);
  fs::permissions(machine_.root() / policy(0) / "scaling_max_freq", fs::perms(0444));
  PowerKnobs knobs(machine_.roots());
  EXPECT_NE(knobs.of_processors().why_not.find("sudo chmod a+w"), std::string::npos);
}

// Defect: a cap that outlives a killed run, or that a later run takes for the device's own setting.
TEST_F(PowerCaps, TheNextHolderSetsBackWhatAKilledRunHadCapped) {
  add_policy(0, 2'000'000, 800'000);
  leave_record("cpufreq", R"({"cpufreq:policy0": 4000000})");
  PowerKnobs knobs(machine_.roots());
  {
    const HeldCaps::Taken taken = take_processors(knobs);
    ASSERT_TRUE(taken.caps) << taken.why_not;
    EXPECT_EQ(frequency(0), 4'000'000U);
    EXPECT_EQ(taken.caps->set_share(0.5), "");
    EXPECT_EQ(frequency(0), 2'000'000U);
  }
  EXPECT_EQ(frequency(0), 4'000'000U);
}

// Defect: two jobs that cap one device, of which the second later sets back the first's cap.
TEST_F(PowerCaps, OneJobAloneCapsADevice) {
  add_policy(0, 4'000'000, 800'000);
  PowerKnobs knobs(machine_.roots());
  const HeldCaps::Taken first = take_processors(knobs);
  ASSERT_TRUE(first.caps);
  const HeldCaps::Taken second = take_processors(knobs);
  EXPECT_FALSE(second.caps);
  EXPECT_NE(second.why_not.find("another job"), std::string::npos) << second.why_not;
  const std::vector<RestoredCaps> restored = restore_left_caps(knobs, records_);
  ASSERT_EQ(restored.size(), 1U);
  EXPECT_EQ(restored[0].state, RestoredCaps::State::kHeld);
}

// Defect: an epilog that sets nothing back, or forgets what it could not set back.
TEST_F(PowerCaps, RecordsOfKilledRunsAreSetBackAndRemoved) {
  add_policy(0, 2'000'000, 800'000);
  leave_record("cpufreq", R"({"cpufreq:policy0": 4000000})");
  leave_record("nvml-GPU-gone", R"({"nvml:GPU-gone": 700000})");
  PowerKnobs knobs(machine_.roots());
  const std::vector<RestoredCaps> restored = restore_left_caps(knobs, records_);
  ASSERT_EQ(restored.size(), 2U);
  EXPECT_EQ(restored[0].state, RestoredCaps::State::kRestored);
  EXPECT_EQ(restored[1].state, RestoredCaps::State::kFailed);
  EXPECT_EQ(frequency(0), 4'000'000U);
  EXPECT_FALSE(fs::exists(records_ / "cpufreq"));
  EXPECT_TRUE(fs::exists(records_ / "nvml-GPU-gone"));
  EXPECT_FALSE(restore_when_released(knobs, records_ / "cpufreq"));
}

// Defect: root that, in an epilog, sets for a user what the user may not set; or does not set back
// a user's cap.
TEST_F(PowerCaps, RootSetsBackForAUserWhatThatUserMaySet) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  machine_.use_fake_nvml("GPU-a H100 5000 600000 MIG-x 0 300000 200000");
  add_policy(0, 2'000'000, 800'000);
  leave_record("cpufreq", R"({"cpufreq:policy0": 4000000})");
  leave_record("nvml-GPU-a", R"({"nvml:GPU-a": 700000})");
  constexpr uid_t kUser = 1000;
  for (const char* name : {"cpufreq", "nvml-GPU-a"})
    ASSERT_EQ(chown((records_ / name).c_str(), kUser, kUser), 0);
  PowerKnobs knobs(machine_.roots());
  for (const RestoredCaps& one : restore_left_caps(knobs, records_)) {
    EXPECT_EQ(one.state, RestoredCaps::State::kFailed);
    EXPECT_NE(one.text.find("its owner (user 1000) may not set"), std::string::npos) << one.text;
  }
  EXPECT_EQ(frequency(0), 2'000'000U);
  fs::permissions(machine_.root() / policy(0) / "scaling_max_freq", fs::perms(0666));
  EXPECT_EQ(restore_left_caps(knobs, records_).at(0).state, RestoredCaps::State::kRestored);
  EXPECT_EQ(frequency(0), 4'000'000U);
  EXPECT_NE(gpu_line().find("300000"), std::string::npos);
}

// Defect: a record that makes this process write somewhere else than to the settings.
TEST_F(PowerCaps, HostileRecordsChangeNothing) {
  add_policy(0, 2'000'000, 800'000);
  machine_.write("sys/devices/system/cpu/secret/scaling_max_freq", "1");
  for (const char* text :
       {R"({"cpufreq:../secret": 7})", R"({"cpufreq:policy0/../../secret": 7})",
        R"({"cpufreq:policy0": -7})", R"({"cpufreq:policy0": "7"})", R"({"cpufreq:policy": 7})",
        R"({"nvml:": 7})", R"({"x": 7})", "[1]", "", "{"}) {
    leave_record("cpufreq", text);
    PowerKnobs knobs(machine_.roots());
    restore_left_caps(knobs, records_);
    EXPECT_EQ(frequency(0), 2'000'000U) << text;
    EXPECT_EQ(read_system_number(machine_.root() / "sys/devices/system/cpu/secret/scaling_max_freq")
                  .value,
              1U)
        << text;
  }
  fs::remove(records_ / "cpufreq");
  fs::create_symlink(machine_.root() / policy(0) / "scaling_max_freq", records_ / "cpufreq");
  PowerKnobs knobs(machine_.roots());
  const HeldCaps::Taken taken = take_processors(knobs);
  EXPECT_FALSE(taken.caps);
  EXPECT_EQ(frequency(0), 2'000'000U);
}

// A device whose power falls with the cube of the cap, and whose speed with the cap below `knee`.
void sweep_over(CapSweep& sweep, double knee) {
  while (const std::optional<double> share = sweep.next()) {
    const double seconds = *share < knee ? knee / *share : 1.0;
    sweep.add(seconds, seconds * (50 + 100 * *share * *share * *share));
  }
}

// Defect: a cap that slows the run down more than allowed, or a worse one than was tried.
TEST(CapSweep, TakesTheLeastEnergyThatIsFastEnough) {
  CapSweep sweep(0.05, 0.3);
  sweep_over(sweep, 0.75);
  EXPECT_DOUBLE_EQ(sweep.chosen().share, 0.8);
  EXPECT_EQ(sweep.trials().size(), 5U);  // 1, 0.9, 0.8, 0.7 (too slow), 1
  CapSweep patient(0.5, 0.3);
  sweep_over(patient, 0.75);
  EXPECT_DOUBLE_EQ(patient.chosen().share, 0.6);  // 0.5 takes more again
  EXPECT_EQ(patient.trials().size(), 7U);
}

// Defect: a cap that costs energy, or saves less than can be told from noise.
TEST(CapSweep, StaysAsItWasWhereNoCapSavesEnergy) {
  CapSweep sweep(1.0, 0.3);
  while (const std::optional<double> share = sweep.next()) sweep.add(1 / *share, 100 / *share);
  EXPECT_DOUBLE_EQ(sweep.chosen().share, 1.0);
  CapSweep level(1.0, 0.3);
  while (const std::optional<double> share = level.next()) level.add(1.0, 99.5 + 0.5 * *share);
  EXPECT_DOUBLE_EQ(level.chosen().share, 1.0);
}

// Defect: caps that the device clamps to one, tried again and again.
TEST(CapSweep, DoesNotTryWhatMakesNoDifference) {
  CapSweep sweep(1.0, 0.72);
  sweep_over(sweep, 0.1);
  std::vector<double> shares;
  for (const CapTrial& trial : sweep.trials()) shares.push_back(trial.share);
  EXPECT_EQ(shares, (std::vector<double>{1.0, 0.9, 0.8, 0.72, 1.0}));
  CapSweep fixed(1.0, 1.0);
  sweep_over(fixed, 0.1);
  EXPECT_EQ(fixed.trials().size(), 1U);
  EXPECT_DOUBLE_EQ(fixed.chosen().share, 1.0);
}

// Defect: a machine that became slower meanwhile, taken for a cap that slows steps down.
TEST(CapSweep, ComparesWithTheFormerSettingBeforeAndAfter) {
  CapSweep sweep(0.05, 0.8);
  sweep.add(1.0, 100);  // no cap
  sweep.add(1.03, 90);  // 0.9
  sweep.add(1.08, 85);  // 0.8: too slow by the first, and not by the mean
  ASSERT_EQ(sweep.next(), 1.0);
  sweep.add(1.1, 110);
  EXPECT_DOUBLE_EQ(sweep.uncapped().step_seconds, 1.05);
  EXPECT_DOUBLE_EQ(sweep.chosen().share, 0.8);
}

}  // namespace
}  // namespace lmtrain

#include "energy/meters/rapl.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "energy/meters/sensors.h"
#include "tests/energy/fake_machine.h"

namespace lmtrain {
namespace {

constexpr uint64_t kIntelRange = 262143328850;
constexpr uint64_t kEpycRange = 65532610987;

class Rapl : public testing::Test {
 protected:
  std::unique_ptr<Meter> meter(uint64_t microjoules, uint64_t range = kIntelRange) {
    machine_.add_zone("intel-rapl:0", "package-0", microjoules, range);
    auto made = make_rapl_meter(find_rapl_zones(machine_.roots().sysfs).at(0));
    EXPECT_EQ(made->read(0.0).joules, 0.0);
    return made;
  }
  Reading read(Meter& meter, double now, uint64_t microjoules) {
    machine_.set_energy("intel-rapl:0", microjoules);
    return meter.read(now);
  }

  FakeMachine machine_;
};

// Defect: joules that are off by a unit, or counted from boot.
TEST_F(Rapl, CountsFromTheFirstReadingToTheMicrojoule) {
  const auto package = meter(5'000'000);
  const Reading reading = read(*package, 1.0, 47'123'456);
  EXPECT_DOUBLE_EQ(reading.joules, 42.123456);
  EXPECT_DOUBLE_EQ(reading.seconds, 1.0);
  EXPECT_LT(reading.low, reading.joules);
  EXPECT_GT(reading.high, reading.joules);
}

// Defect: a wrap read as negative energy, or as the whole counter.
TEST_F(Rapl, AddsUpOverAWrap) {
  const auto package = meter(kIntelRange - 20'000'000);
  EXPECT_DOUBLE_EQ(read(*package, 1.0, 15'000'000).joules, 35.0);
  EXPECT_DOUBLE_EQ(read(*package, 2.0, 40'000'000).joules, 25.0);
}

// Defect: only the first wrap of a run counted (an EPYC at 280 W wraps every 234 s).
TEST_F(Rapl, AddsUpOverManyWrapsOfASmallCounter) {
  const auto package = meter(0, kEpycRange);
  double joules = 0.0;
  uint64_t counter = 0;
  for (int second = 1; second <= 1000; ++second) {
    counter = (counter + 280'000'000) % kEpycRange;
    joules += read(*package, second, counter).joules;
  }
  EXPECT_NEAR(joules, 280'000.0, 1e-6);
}

// Defect: a reset taken for a wrap, which adds up to 262 kJ, or read as negative energy.
TEST_F(Rapl, MarksAResetAsAGapAndGoesOn) {
  const auto package = meter(100'000'000'000);
  EXPECT_TRUE(read(*package, 1.0, 1'000'000).is_missing());
  EXPECT_DOUBLE_EQ(read(*package, 2.0, 51'000'000).joules, 50.0);
}

// Defect: a failed read that gives 0 adds one full range.
TEST_F(Rapl, AZeroOrAnEmptyFileIsAGapNotAWrap) {
  const auto package = meter(100'000'000'000);
  EXPECT_TRUE(read(*package, 1.0, 0).is_missing());
  EXPECT_TRUE(read(*package, 2.0, 100'000'000'000).is_missing());
  machine_.write(FakeMachine::zone_path("intel-rapl:0") + "/energy_uj", "");
  EXPECT_TRUE(package->read(3.0).is_missing());
  EXPECT_DOUBLE_EQ(read(*package, 4.0, 100'020'000'000).joules, 20.0);
}

// Defect: energy lost or counted twice when a sensor vanishes for a while.
TEST_F(Rapl, ASensorThatComesBackTellsTheEnergyInBetween) {
  const auto package = meter(0);
  EXPECT_DOUBLE_EQ(read(*package, 1.0, 10'000'000).joules, 10.0);
  machine_.remove(FakeMachine::zone_path("intel-rapl:0") + "/energy_uj");
  EXPECT_TRUE(package->read(2.0).is_missing());
  EXPECT_TRUE(package->read(3.0).is_missing());
  const Reading back = read(*package, 4.0, 40'000'000);
  EXPECT_DOUBLE_EQ(back.joules, 30.0);
  EXPECT_DOUBLE_EQ(back.seconds, 3.0);
}

// Defect: two wraps between two readings counted as one.
TEST_F(Rapl, APauseInWhichItMayHaveWrappedTwiceIsAGap) {
  const auto package = meter(0, kEpycRange);
  EXPECT_TRUE(read(*package, 600.0, 5'000'000).is_missing());
  EXPECT_DOUBLE_EQ(read(*package, 601.0, 105'000'000).joules, 100.0);
  EXPECT_LE(package->max_seconds_between_reads(), 0.5 * 65532.6 / 280.0);
}

// Defect: psys, core or uncore added to the packages, although one contains the other.
TEST_F(Rapl, CountsPackagesAndTheirMemoryOnly) {
  machine_.add_zone("intel-rapl:0", "package-0", 0);
  machine_.add_zone("intel-rapl:0:0", "core", 0);
  machine_.add_zone("intel-rapl:0:1", "dram", 1);
  machine_.add_zone("intel-rapl:1", "package-1", 0);
  machine_.add_zone("intel-rapl:1:0", "uncore", 0);
  machine_.add_zone("intel-rapl:1:1", "dram", 2);
  machine_.add_zone("intel-rapl:2", "psys", 0);
  machine_.add_zone("intel-rapl-mmio:0", "package-0", 0);
  machine_.write("sys/class/powercap/intel-rapl/enabled", "1");
  std::vector<std::string> counted;
  for (const RaplZone& zone : find_rapl_zones(machine_.roots().sysfs)) {
    if (zone.counted()) counted.push_back(zone.key);
  }
  EXPECT_EQ(counted, (std::vector<std::string>{"rapl:package-0", "rapl:package-0/dram",
                                               "rapl:package-1", "rapl:package-1/dram"}));
}

// Defect: the two dies of a package that show one counter, counted twice: 547 J for 274.
TEST_F(Rapl, DiesThatMirrorOneCounterCountOnce) {
  const auto counted = [&] {
    std::vector<std::string> keys;
    for (const RaplZone& zone : find_rapl_zones(machine_.roots().sysfs)) {
      if (zone.counted()) keys.push_back(zone.key);
    }
    return keys;
  };
  machine_.add_zone("intel-rapl:0", "package-0-die-0", 5'000'000);
  machine_.add_zone("intel-rapl:0:0", "dram", 70);
  machine_.add_zone("intel-rapl:1", "package-0-die-1", 5'000'000);
  machine_.add_zone("intel-rapl:1:0", "dram", 70);
  EXPECT_EQ(counted(),
            (std::vector<std::string>{"rapl:package-0-die-0", "rapl:package-0-die-0/dram"}));
  machine_.set_energy("intel-rapl:1", 6'000'000);
  machine_.set_energy("intel-rapl:1:0", 80);
  EXPECT_EQ(counted().size(), 4u) << "dies with counters of their own";
}

// Defect: of two zones of one name the second is left out, though it has a counter of its own.
TEST_F(Rapl, ZonesOfOneNameCountWhereTheirCountersDiffer) {
  machine_.add_zone("intel-rapl:0", "package-0", 5'000'000);
  machine_.add_zone("intel-rapl:1", "package-0", 9'000'000);
  machine_.add_zone("intel-rapl:2", "package-0", 9'000'000);
  machine_.add_zone("intel-rapl-mmio:0", "package-0", 5'100'000);
  const std::vector<RaplZone> zones = find_rapl_zones(machine_.roots().sysfs);
  ASSERT_EQ(zones.size(), 4u);
  EXPECT_EQ(zones[1].key, "rapl:package-0#2");
  EXPECT_TRUE(zones[0].counted() && zones[1].counted());
  EXPECT_FALSE(zones[2].counted()) << "it shows the counter of the second";
  EXPECT_FALSE(zones[3].counted()) << "the other interface";
}

// Defect: a counter that stands still while the machine works is "measured, 0 J, 100% covered".
TEST_F(Rapl, ACounterThatStandsStillIsAGap) {
  const auto package = meter(5'000'000);
  EXPECT_DOUBLE_EQ(read(*package, 1.0, 105'000'000).joules, 100.0);
  const Reading soon = read(*package, 1.5, 105'000'000);
  EXPECT_TRUE(!soon.is_missing() && soon.seconds == 0.0) << "between two updates";
  const Reading next = read(*package, 2.0, 155'000'000);
  EXPECT_DOUBLE_EQ(next.seconds, 1.0) << "the energy of both halves";
  for (double now = 3.0; now <= 4.5; now += 0.5)
    EXPECT_EQ(read(*package, now, 155'000'000).seconds, 0);
  const Reading still = read(*package, 9.0, 155'000'000);
  EXPECT_NE(still.missing.find("stood still"), std::string::npos);
  const Reading moves = read(*package, 10.0, 215'000'000);
  EXPECT_DOUBLE_EQ(moves.joules, 60.0);
  EXPECT_DOUBLE_EQ(moves.seconds, 1.0) << "the time in which it stood stays missing";
}

// Defect: a memory counter that never counts takes the place of the model of the memory.
TEST_F(Rapl, MemoryThatIsNeverCountedIsModelled) {
  machine_.add_proc(4, "Some Processor");
  machine_.add_zone("intel-rapl:0", "package-0", 5);
  machine_.add_zone("intel-rapl:0:0", "dram", 0);
  std::vector<std::string> keys;
  for (const auto& made : choose_sensors(machine_.roots(), {}, 0, {""}))
    keys.push_back(made->info().key);
  EXPECT_EQ(keys, (std::vector<std::string>{"rapl:package-0", "model:memory"}));
}

// Defect: nothing is known of a package that cannot be read, so that the high end lacks it.
TEST_F(Rapl, PackagesSayWhatTheyMayDraw) {
  machine_.add_proc(4, "Some Processor");
  machine_.add_zone("intel-rapl:0", "package-0", 5);
  machine_.add_zone("intel-rapl:1", "package-1", 7);
  const auto made = choose_sensors(machine_.roots(), {}, 0, {""});
  EXPECT_DOUBLE_EQ(made.at(0)->info().stand_in_watts, 8.0) << "half of 16 W";
}

// Defect: a counter that only root may read looks like no counter at all.
TEST_F(Rapl, SaysHowToGrantADeniedCounter) {
  machine_.add_zone("intel-rapl:0", "package-0", 0);
  const auto file = machine_.root() / FakeMachine::zone_path("intel-rapl:0") / "energy_uj";
  std::filesystem::permissions(file, std::filesystem::perms(0));
  // Root may read everything, so the zones are looked for as the user nobody.
  const uid_t user = geteuid();
  ASSERT_TRUE(user != 0 || seteuid(65534) == 0);
  const std::vector<RaplZone> zones = find_rapl_zones(machine_.roots().sysfs);
  ASSERT_EQ(seteuid(user), 0);
  ASSERT_EQ(zones.size(), 1u);
  EXPECT_NE(zones[0].why_unreadable.find("Permission denied"), std::string::npos);
  EXPECT_NE(zones[0].why_unreadable.find("chmod a+r " + file.string()), std::string::npos);
}

}  // namespace
}  // namespace lmtrain

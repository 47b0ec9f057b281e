#include "energy/ledger/totals.h"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "tests/energy/fake_machine.h"

namespace lmtrain {
namespace {

AttemptStart start_of(int64_t attempt, int64_t rank) {
  AttemptStart start;
  start.attempt = attempt;
  start.place.rank = rank;
  start.place.host = "node";
  start.sensors = {{"rapl:package-0", "RAPL package-0", DeviceKind::kCpu, Quality::kMeasured}};
  return start;
}

EnergySample sample_of(double seconds, int64_t step, double joules) {
  EnergySample sample;
  sample.seconds = seconds;
  sample.step = step;
  sample.readings = {reading_within(1.0, joules, 0.1)};
  return sample;
}

// Defect: energy of a sample put into one phase, or into none.
TEST(EnergyTotals, SplitsASampleOverItsPhases) {
  EnergyTotals totals(start_of(1, 0));
  EnergySample sample = sample_of(1.0, 0, 10.0);
  sample.phase_seconds[static_cast<size_t>(Phase::kForward)] = 0.25;
  sample.phase_seconds[static_cast<size_t>(Phase::kBackward)] = 0.75;
  totals.add(sample);
  totals.add(sample_of(2.0, 0, 4.0));  // without any phase: still part of the sum
  EXPECT_DOUBLE_EQ(totals.joules_in(Phase::kForward), 2.5);
  EXPECT_DOUBLE_EQ(totals.joules_in(Phase::kBackward), 7.5);
  EXPECT_DOUBLE_EQ(totals.joules_in(Phase::kStartup), 4.0);
  EXPECT_DOUBLE_EQ(totals.joules(), 14.0);
}

// Defect: a missing reading counted as 0 J over its time.
TEST(EnergyTotals, AGapCoversNoTime) {
  EnergyTotals totals(start_of(1, 0));
  totals.add(sample_of(1.0, 0, 10.0));
  EnergySample gap = sample_of(2.0, 0, 0.0);
  gap.readings = {missing_reading("gone")};
  totals.add(gap);
  EXPECT_DOUBLE_EQ(totals.sensors[0].covered_seconds, 1.0);
  EXPECT_EQ(totals.sensors[0].missing_readings, 1);
  EXPECT_EQ(totals.sensors[0].missing_reason, "gone");
  EXPECT_DOUBLE_EQ(totals.seconds, 2.0);
}

// Defect: samples of another attempt, or samples out of order, added without an error.
TEST(EnergyTotals, RefusesSamplesThatDoNotFit) {
  EnergyTotals totals(start_of(1, 0));
  totals.add(sample_of(2.0, 5, 1.0));
  EXPECT_THROW(totals.add(sample_of(1.0, 5, 1.0)), DataError);
  EXPECT_THROW(totals.add(sample_of(3.0, 4, 1.0)), DataError);
  EnergySample two = sample_of(3.0, 5, 1.0);
  two.readings.push_back(two.readings[0]);
  EXPECT_THROW(totals.add(two), DataError);
}

// Defect: the series of a long run grows without bound, or loses energy when it is coarsened.
TEST(EnergySeries, StaysSmallAndKeepsItsSum) {
  EnergySeries series;
  for (int i = 0; i < 5000; ++i) series.add({1.0 * i, i / 10, {2.0, 1.0, 0.0, 0.0}});
  EXPECT_LE(series.points().size(), EnergySeries::kMaxPoints);
  EXPECT_GT(series.points().size(), EnergySeries::kMaxPoints / 4);
  EXPECT_DOUBLE_EQ(series.joules_from_step(0, 0), 15000.0);
  EXPECT_NEAR(series.joules_from_step(0, 250), 7500.0, 50.0);
  EXPECT_EQ(series.points().back().seconds, 4999.0);
}

// Defect: the energy of steps computed again wrong by one step.
TEST(EnergySeries, SplitsEnergyAtAStep) {
  EnergySeries series;
  for (int step = 0; step < 10; ++step) series.add({1.0 * step, step, {1.0, 0.0, 0.0, 0.0}});
  EXPECT_DOUBLE_EQ(series.joules_from_step(0, 10), 0.0);
  EXPECT_DOUBLE_EQ(series.joules_from_step(0, 0), 10.0);
  // Of the second before the sample in step 6, half was spent in step 5 and half in step 6.
  EXPECT_DOUBLE_EQ(series.joules_from_step(0, 6), 3.5);
}

// Defect: totals that change when ranks send them to one another.
TEST(EnergyTotals, TravelAsText) {
  EnergyTotals totals(start_of(2, 5));
  totals.add(sample_of(1.0, 3, 10.1));
  totals.stopped = true;
  const std::vector<EnergyTotals> back = parse_energy_totals(to_json(std::vector{totals}));
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(back[0].start.attempt, 2);
  EXPECT_EQ(back[0].start.place.rank, 5);
  EXPECT_TRUE(back[0].stopped);
  EXPECT_EQ(back[0].joules(), 10.1);
  EXPECT_EQ(back[0].last_step, 3);
  EXPECT_EQ(back[0].sensors[0].energy.high, totals.sensors[0].energy.high);
  EXPECT_EQ(back[0].series.points().size(), 1u);
  EXPECT_EQ(to_json(back), to_json(std::vector{totals}));
  EXPECT_THROW(parse_energy_totals("[{}]"), DataError);
  EXPECT_THROW(parse_energy_totals("{"), DataError);
}

// Defect: the ledger of a rank that only an earlier attempt had is read by no rank, or by two.
TEST(RunLedgers, SharesCoverEveryFileOnce) {
  FakeMachine machine;
  for (int rank = 0; rank < 5; ++rank) {
    LedgerWriter writer(ledger_path(machine.root(), rank));
    writer.append(start_of(1, rank));
    writer.append(sample_of(1.0, 0, 1.0));
    writer.append(AttemptStop{1.0});
    if (rank < 2) writer.append(start_of(2, rank));
  }
  machine.write("notes.jsonl", "not a ledger");
  std::vector<int64_t> ranks;
  double joules = 0.0;
  for (int64_t share = 0; share < 2; ++share) {
    for (const EnergyTotals& totals : RunLedgers(machine.root(), share, 2).refresh()) {
      ranks.push_back(totals.start.place.rank);
      joules += totals.joules();
    }
  }
  std::sort(ranks.begin(), ranks.end());
  EXPECT_EQ(ranks, (std::vector<int64_t>{0, 0, 1, 1, 2, 3, 4}));
  EXPECT_DOUBLE_EQ(joules, 5.0);
  EXPECT_EQ(next_attempt(machine.root()).number, 3);
  EXPECT_EQ(next_attempt(machine.root() / "nowhere").number, 1);
}

// Defect: a refresh adds again what was added before.
TEST(RunLedgers, RefreshAddsOnlyWhatIsNew) {
  FakeMachine machine;
  LedgerWriter writer(ledger_path(machine.root(), 0));
  writer.append(start_of(1, 0));
  RunLedgers ledgers(machine.root());
  EXPECT_EQ(ledgers.refresh().at(0).joules(), 0.0);
  writer.append(sample_of(1.0, 0, 3.0));
  EXPECT_EQ(ledgers.refresh().at(0).joules(), 3.0);
  EXPECT_EQ(ledgers.refresh().at(0).joules(), 3.0);
  EXPECT_FALSE(ledgers.refresh().at(0).stopped);
}

// Defect: an error in a ledger that does not say where.
TEST(RunLedgers, NameTheLineThatDoesNotFit) {
  FakeMachine machine;
  LedgerWriter(ledger_path(machine.root(), 0)).append(sample_of(1.0, 0, 3.0));
  try {
    RunLedgers(machine.root()).refresh();
    FAIL() << "accepted";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("rank-00000.jsonl:1: "), std::string::npos);
  }
}

}  // namespace
}  // namespace lmtrain

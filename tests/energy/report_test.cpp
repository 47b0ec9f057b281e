#include "energy/report/report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"
#include "energy/report/account.h"
#include "energy/report/report_charts.h"
#include "tests/energy/fake_machine.h"
#include "tests/energy/fake_rank.h"

namespace lmtrain {
namespace {

// Defect: parts that do not add up, or a node's energy given to ranks of another node.
TEST(Report, PartsAddUpToTheTotal) {
  const EmissionsReport report = make_emissions_report(two_nodes(), {});
  EXPECT_DOUBLE_EQ(report.energy.joules, 5600.0);
  ASSERT_EQ(report.nodes.size(), 2u);
  EXPECT_DOUBLE_EQ(report.nodes[0].energy.joules, 5100.0);
  EXPECT_DOUBLE_EQ(report.nodes[1].energy.joules, 500.0);
  ASSERT_EQ(report.ranks.size(), 3u);
  EXPECT_DOUBLE_EQ(report.ranks[0].energy.joules, 0.75 * 1100.0);
  EXPECT_DOUBLE_EQ(report.ranks[1].energy.joules, 0.25 * 1100.0 + 4000.0);
  EXPECT_DOUBLE_EQ(report.ranks[2].energy.joules, 500.0);
  EXPECT_EQ(report.devices.size(), 4u);
  EXPECT_DOUBLE_EQ(report.phases[static_cast<size_t>(Phase::kForward)].joules, 2800.0);
  EXPECT_DOUBLE_EQ(report.phases[static_cast<size_t>(Phase::kForward)].seconds, 5.0);
  EXPECT_DOUBLE_EQ(report.measured_share, 5500.0 / 5600.0);
  EXPECT_DOUBLE_EQ(report.modelled_share, 100.0 / 5600.0);
  EXPECT_EQ(report.missing_share, 0.0);
}

// Defect: a check of the parts that lets a wrong part pass.
TEST(Report, APartThatIsWrongIsFound) {
  EmissionsReport report = make_emissions_report(two_nodes(), {});
  report.ranks[1].energy.joules += 1.0;
  try {
    check_parts(report);
    FAIL() << "accepted";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("ranks"), std::string::npos);
  }
}

// Defect: the ledger of a rank that is gone, whose energy is missing without a word.
TEST(Report, DoubtsWhereALedgerIsMissing) {
  FakeRank rank{.num_ranks = 2, .sensors = {kPackage}, .watts = {100.0}};
  const EmissionsReport half = make_emissions_report({rank.totals()}, {});
  ASSERT_EQ(half.doubts.size(), 1u);
  EXPECT_NE(half.doubts[0].find("the ledgers of 1 of the 2 ranks of attempt 1 are missing"),
            std::string::npos);
  FakeRank other{.rank = 1, .num_ranks = 2, .sensors = {kGpu}, .watts = {100.0}};
  EXPECT_TRUE(make_emissions_report({rank.totals(), other.totals()}, {}).doubts.empty());
}

// Defect: one sensor metered by two ranks counted twice.
TEST(Report, RefusesASensorWithTwoOwners) {
  std::vector<EnergyTotals> totals = two_nodes();
  totals.push_back(FakeRank{.rank = 3, .sensors = {kPackage}, .watts = {100.0}}.totals());
  EXPECT_THROW(make_emissions_report(totals, {}), DataError);
}

// Defect: factors of 1000 between J, kWh, g and kg; PUE left out or applied twice.
TEST(Report, UnitsAreRight) {
  EXPECT_DOUBLE_EQ(kwh(3.6e6), 1.0);
  EXPECT_DOUBLE_EQ(3.6e6 * price_of(config_of(1.2, 500.0)).grams_per_joule(), 600.0);
  // 1 kW for 3600 s is 1 kWh.
  const FakeRank rank{.sensors = {kPackage}, .watts = {1000.0}, .seconds = 3600};
  const EmissionsReport report = make_emissions_report({rank.totals()}, config_of(1.5, 400.0));
  EXPECT_NEAR(kwh(report.energy.joules), 1.0, 1e-9);
  EXPECT_NEAR(kwh(report.cost.facility.joules), 1.5, 1e-9);
  EXPECT_NEAR(report.cost.emissions.grams, 600.0, 1e-6);
  EXPECT_NEAR(kwh(report.energy.low), 0.9, 1e-9);
  EXPECT_NEAR(kwh(report.energy.high), 1.1, 1e-9);
}

// Defect: a restart loses what earlier attempts spent, or steps computed again are not noticed.
TEST(Report, KeepsEarlierAttemptsAndWhatWasComputedAgain) {
  const std::vector<EnergyTotals> totals = {
      FakeRank{.sensors = {kPackage}, .watts = {100.0}, .seconds = 10, .stopped = false}.totals(),
      FakeRank{.attempt = 2, .sensors = {kPackage}, .watts = {100.0}, .first_step = 6}.totals()};
  const EmissionsReport report = make_emissions_report(totals, {});
  ASSERT_EQ(report.attempts.size(), 2u);
  EXPECT_DOUBLE_EQ(report.energy.joules, 2000.0);
  EXPECT_DOUBLE_EQ(report.attempts[0].energy.joules, 1000.0);
  EXPECT_FALSE(report.attempts[0].stopped);
  EXPECT_EQ(report.attempts[0].last_step, 9);
  // Steps 6 to 9 of the first attempt, and half of the second of time in which step 6 began.
  EXPECT_DOUBLE_EQ(report.attempts[0].wasted_joules, 350.0);
  EXPECT_EQ(report.attempts[1].wasted_joules, 0.0);
  EXPECT_DOUBLE_EQ(report.wasted_joules(), 350.0);
  EXPECT_DOUBLE_EQ(report.seconds, 20.0);
  EXPECT_GT(report.use().repeated.seconds, 0.0);
  EXPECT_DOUBLE_EQ(report.use().all_seconds() - report.use().between.seconds, 20.0);
}

// Defect: start-up counts as steps that were computed again, or the parts make more than the whole.
TEST(Report, TimeIsSplitWithoutOverlap) {
  EnergyTotals killed(
      FakeRank{.sensors = {kPackage}, .watts = {1.0}, .first_step = 1}.totals().start);
  for (int second = 1; second <= 10; ++second) {
    EnergySample sample;
    sample.seconds = second;
    sample.step = std::max(1, second - 3);  // 1 to 7
    sample.phase_seconds[static_cast<size_t>(second <= 3 ? Phase::kStartup : Phase::kForward)] =
        1.0;
    sample.readings = {reading_within(1.0, 1.0, 0.1)};
    killed.add(sample);
  }
  const std::vector<EnergyTotals> totals = {
      killed,
      FakeRank{.attempt = 2, .sensors = {kPackage}, .watts = {100.0}, .first_step = 1}.totals()};
  const EmissionsReport report = make_emissions_report(totals, {});
  const RunUse use = report.use();
  EXPECT_DOUBLE_EQ(use.startup.seconds, 3.0);
  EXPECT_DOUBLE_EQ(use.repeated.seconds, 7.0);
  EXPECT_DOUBLE_EQ(use.all_seconds() - use.between.seconds, 20.0);
  // 3 J of the start and 7 J of its steps, all of which the second attempt computed again.
  EXPECT_DOUBLE_EQ(report.attempts[0].wasted_joules, 10.0);
  EXPECT_DOUBLE_EQ(use.repeated.joules, 7.0);
  EXPECT_DOUBLE_EQ(use.startup.joules, 3.0);
  double joules = 0.0;
  for (const auto& part : use.parts()) joules += part.use->joules;
  EXPECT_DOUBLE_EQ(joules, report.energy.joules);
}

// Defect: preparing text, killed before the first step, charged as steps computed again.
TEST(Report, WhoComputedNothingComputesNothingAgain) {
  EnergyTotals prepared(
      FakeRank{.sensors = {kPackage}, .watts = {1.0}, .first_step = 1}.totals().start);
  EnergySample sample;
  sample.seconds = 5.0;
  sample.step = 1;
  sample.phase_seconds[static_cast<size_t>(Phase::kPreparation)] = 5.0;
  sample.readings = {reading_within(5.0, 500.0, 0.1)};
  prepared.add(sample);
  const std::vector<EnergyTotals> totals = {
      prepared,
      FakeRank{.attempt = 2, .sensors = {kPackage}, .watts = {100.0}, .first_step = 1}.totals()};
  EXPECT_EQ(make_emissions_report(totals, {}).wasted_joules(), 0.0);
}

// Defect: the last step of a run that stopped in order after a save counted as wasted.
TEST(Report, AnOrderlyStopWastesNothing) {
  const std::vector<EnergyTotals> totals = {
      FakeRank{.sensors = {kPackage}, .watts = {100.0}, .seconds = 10}.totals(),
      FakeRank{.attempt = 2, .sensors = {kPackage}, .watts = {100.0}, .first_step = 9}.totals()};
  EXPECT_EQ(make_emissions_report(totals, {}).wasted_joules(), 0.0);
}

// Defect: a gap reported as 0 kWh, or left out of the interval.
TEST(Report, GapsWidenTheIntervalAndLowerTheCoverage) {
  EnergyTotals totals = FakeRank{.sensors = {kPackage}, .watts = {100.0}}.totals();
  EnergySample gap;
  gap.seconds = 20.0;
  gap.step = 9;
  gap.readings = {missing_reading("Permission denied")};
  totals.add(gap);
  const EmissionsReport report = make_emissions_report({totals}, config_of(1.0, 500.0));
  EXPECT_DOUBLE_EQ(report.energy.joules, 1000.0);
  EXPECT_DOUBLE_EQ(report.energy.high, 1100.0 + 1000.0);
  EXPECT_DOUBLE_EQ(report.missing_share, 0.5);
  EXPECT_DOUBLE_EQ(report.measured_share, 0.5);
  ASSERT_EQ(report.remarks.size(), 2u);
  EXPECT_NE(report.remarks[1].find("kept no price"), std::string::npos);
  EXPECT_NE(report.remarks[0].find("10.0 of 20.0 s: Permission denied"), std::string::npos);
}

// Defect: a sensor that was never read reported as one that drew nothing.
TEST(Report, NamesASensorThatWasNeverRead) {
  AttemptStart start;
  start.place.host = "node-a";
  start.sensors = {kGpu};
  EnergyTotals totals(start);
  EnergySample sample;
  sample.seconds = 5.0;
  sample.readings = {missing_reading("no NVIDIA driver")};
  totals.add(sample);
  const EmissionsReport report = make_emissions_report({totals}, {});
  ASSERT_FALSE(report.doubts.empty());
  EXPECT_NE(report.doubts[0].find("never read"), std::string::npos);
  EXPECT_NE(report.doubts[0].find("no NVIDIA driver"), std::string::npos);
}

// Defect: durations and power taken from the wall clock, which may be set back.
TEST(Report, AWallClockThatIsSetBackChangesNothing) {
  const FakeRank forward{.sensors = {kPackage}, .watts = {100.0}};
  FakeRank backward = forward;
  backward.wall_pace = -3600.0;
  const EmissionsReport straight = make_emissions_report({forward.totals()}, {});
  const EmissionsReport report = make_emissions_report({backward.totals()}, {});
  EXPECT_EQ(report.energy.joules, straight.energy.joules);
  EXPECT_EQ(report.seconds, 10.0);
  EXPECT_EQ(report.missing_share, 0.0);
}

// Defect: energy lost or added where samples and bins of the picture do not line up.
TEST(Report, ThePowerPictureHoldsAllEnergy) {
  const std::vector<EnergyTotals> totals = {
      FakeRank{.sensors = {kPackage}, .watts = {100.0}, .seconds = 10}.totals(),
      FakeRank{.attempt = 2, .sensors = {kGpu}, .watts = {300.0}, .seconds = 4}.totals()};
  const EmissionsReport report = make_emissions_report(totals, {});
  const auto watts = power_over_time(report, 3);
  double joules = 0.0;
  for (const auto& bin : watts) {
    for (const double power : bin) joules += power * 14.0 / 3.0;
  }
  EXPECT_NEAR(joules, 2200.0, 1e-9);
  EXPECT_NEAR(watts[0][static_cast<size_t>(DeviceKind::kCpu)], 100.0, 1e-9);
  EXPECT_EQ(watts[0][static_cast<size_t>(DeviceKind::kGpu)], 0.0);
}

RunFacts facts_of_a_run() {
  RunFacts facts;
  facts.name = "quick";
  facts.started = "2025-01-31T12:00:00Z";
  facts.finished = true;
  facts.model = "gpt2, 2 layers";
  facts.precision = "bf16";
  facts.num_parameters = 1234567;
  facts.steps = 10;
  facts.tokens = 20480;
  facts.flops = 5.6e12;
  facts.seconds = 10.0;
  facts.first_validation_loss = 8.5;
  facts.last_validation_loss = 4.25;
  facts.bits_per_byte = 1.9;
  facts.train_loss = {{1, 8.5}, {2, 8.0}, {3, 7.5}};
  facts.validation_loss = {{0, 8.5}, {3, 7.6}};
  facts.samples = {{"Once", " upon ``` a time"}};
  facts.config_yaml = "run:\n  name: quick\n";
  return facts;
}

EnergyPrice price_in(const char* region, double pue) {
  EnergyConfig config;
  config.region = region;
  config.pue = pue;
  return price_of(config);
}

// Defect: a run that is continued elsewhere is priced there from its beginning: 90.2 mg became
// 4.69.
TEST(Report, EachAttemptHasItsOwnPrice) {
  const std::vector<EnergyTotals> totals = {
      FakeRank{.sensors = {kPackage}, .watts = {50.0}, .price = price_in("POL", 1.5)}.totals(),
      FakeRank{.attempt = 2, .sensors = {kPackage}, .watts = {5.0}, .price = price_in("FRA", 1.0)}
          .totals()};
  const double first = 500.0 / 3.6e6 * 1.5 * find_grid_intensity("POL").g_per_kwh;
  const double second = 50.0 / 3.6e6 * find_grid_intensity("FRA").g_per_kwh;
  const EmissionsReport report = make_emissions_report(totals, config_of(1.0, 1.0));
  EXPECT_NEAR(report.cost.emissions.grams, first + second, 1e-12);
  EXPECT_NEAR(report.cost.emissions.low, 0.9 * (first + second), 1e-12);
  EXPECT_NEAR(report.cost.facility.joules, 800.0, 1e-9);
  EXPECT_EQ(report.one_price(), nullptr);
  EXPECT_FALSE(report.original_cost.has_value());

  Repricing pue_only;
  pue_only.pue = 2.0;
  const EmissionsReport other = make_emissions_report(totals, {}, pue_only);
  EXPECT_NEAR(other.cost.facility.joules, 1100.0, 1e-9);
  EXPECT_NEAR(other.cost.emissions.grams, first * 2.0 / 1.5 + 2.0 * second, 1e-12);
  ASSERT_TRUE(other.original_cost.has_value());
  EXPECT_NEAR(other.original_cost->emissions.grams, first + second, 1e-12);
  FakeMachine machine;
  write_report_markdown(machine.root() / "report.md", other, facts_of_a_run(),
                        account_of(other, {}));
  const std::string text = read_file(machine.root() / "report.md");
  EXPECT_NE(text.find("| With the PUE and grid that the run had | facility 800 J"),
            std::string::npos)
      << text;
}

// Defect: a cloud publishes its PUE, and the run counts 1, or that of the place that it left.
TEST(Report, ACloudsRegionBringsItsPue) {
  EnergyConfig config;
  config.region = "gcp:europe-west4";
  const double published = find_grid_intensity(config.region).pue;
  ASSERT_GT(published, 1.0);
  const EnergyPrice price = price_of(config);
  EXPECT_EQ(price.pue, published);
  EXPECT_FALSE(price.is_pue_assumed);
  EXPECT_EQ(price_from_json(price_to_json(price)).pue_source, "published for gcp:europe-west4");
  const FakeRank rank{.sensors = {kPackage}, .watts = {100.0}, .price = price};
  const EmissionsReport report = make_emissions_report({rank.totals()}, {});
  EXPECT_NEAR(report.cost.facility.joules, 1000.0 * published, 1e-9);
  EXPECT_EQ(source_of_pue(report, {}), "published for gcp:europe-west4");
  EXPECT_EQ(source_of_pue(report, {.pue_source = "the operator"}), "the operator");

  const EnergyPrice moved = repriced(price, {.grid = find_grid_intensity("FRA")});
  EXPECT_EQ(pue_text(moved), "PUE 1 (assumed)");
  EXPECT_EQ(repriced(moved, {.grid = find_grid_intensity(config.region)}).pue, published);
  config.pue = 1.4;
  EXPECT_EQ(pue_text(price_of(config)), "PUE 1.4");
  EXPECT_EQ(repriced(price_of(config), {.grid = find_grid_intensity("FRA")}).pue, 1.4);
}

// Defect: an intensity of 0, as of a site with its own wind, taken for none.
TEST(Report, AnIntensityOfZeroIsOne) {
  const FakeRank rank{.sensors = {kPackage}, .watts = {100.0}};
  const EmissionsReport report = make_emissions_report({rank.totals()}, config_of(1.5, 0.0));
  EXPECT_EQ(report.cost.emissions.grams, 0.0);
  EXPECT_NEAR(report.cost.facility.joules, 1500.0, 1e-9);
}

// Defect: numbers with a PUE and a grid that nobody stated, without a remark.
TEST(Report, SaysWhatOfThePriceIsAssumed) {
  EnergyPrice price = price_in("WORLD", 1.0);
  price.is_pue_assumed = price.is_grid_assumed = true;
  const FakeRank rank{.sensors = {kPackage}, .watts = {100.0}, .price = price};
  const EmissionsReport report = make_emissions_report({rank.totals()}, {});
  ASSERT_EQ(report.remarks.size(), 2u);
  EXPECT_NE(report.remarks[0].find("energy.pue"), std::string::npos);
  EXPECT_NE(report.remarks[1].find("energy.region"), std::string::npos);
  price.is_pue_assumed = price.is_grid_assumed = false;
  const FakeRank stated{.sensors = {kPackage}, .watts = {100.0}, .price = price};
  EXPECT_TRUE(make_emissions_report({stated.totals()}, {}).remarks.empty());
}

// Defect: an attempt that began when the slowest clock of its hosts says so.
TEST(Report, AnAttemptBeganByTheClockOfRankZero) {
  const std::vector<EnergyTotals> totals = {
      FakeRank{.rank = 1, .host = "node-b", .sensors = {}, .watts = {}, .wall = 1.0e9}.totals(),
      FakeRank{.sensors = {kPackage}, .watts = {1.0}}.totals()};
  EXPECT_EQ(make_emissions_report(totals, {}).attempts[0].wall_seconds, 1.7e9);
}

// Defect: two jobs on one node that each claim all of it: 2,160 J of 1,229.
TEST(Report, JobsThatShareANodeHaveTheirParts) {
  const auto job = [](double cpu_seconds) {
    return make_emissions_report(
        {FakeRank{.sensors = {kPackage, kMemory},
                  .watts = {100.0, 10.0},
                  .cpu_seconds = cpu_seconds,
                  .node_busy = 20.0}
             .totals(),
         FakeRank{.rank = 1, .sensors = {kGpu}, .watts = {400.0}, .cpu_seconds = cpu_seconds}
             .totals()},
        {});
  };
  const EmissionsReport one = job(6.0);
  const EmissionsReport other = job(4.0);
  // 12 of 20 CPU seconds and two ranks' 2 GB of the 8 GB in use; the GPU is this job's alone.
  EXPECT_NEAR(one.energy.joules, 600.0 + 50.0 + 4000.0, 1e-9);
  EXPECT_NEAR(other.energy.joules, 400.0 + 50.0 + 4000.0, 1e-9);
  EXPECT_NEAR(one.energy.high, 1.1 * (1000.0 + 100.0 + 4000.0), 1e-9) << "all of the node";
  EXPECT_NEAR(one.energy.low, 0.9 * one.energy.joules, 1e-9);
  ASSERT_EQ(one.shared_nodes.size(), 1u);
  EXPECT_NEAR(one.shared_nodes[0].share.cpu, 0.6, 1e-9);
  EXPECT_NEAR(one.shared_nodes[0].share.memory, 0.5, 1e-9);
  EXPECT_NEAR(one.shared_nodes[0].node_joules, 1100.0, 1e-9);
  FakeMachine machine;
  write_emissions_json(machine.root() / "emissions.json", one, {});
  write_report_markdown(machine.root() / "report.md", one, {}, account_of(one, {}));
  const auto json = nlohmann::json::parse(read_file(machine.root() / "emissions.json"));
  EXPECT_NEAR(json["shared_nodes"][0]["cpu_share"].get<double>(), 0.6, 1e-9);
  EXPECT_NE(read_file(machine.root() / "report.md").find("60.0% of its CPU time and 50.0% of its"),
            std::string::npos);
  EXPECT_TRUE(job(9.7).shared_nodes.empty()) << "the services of the system belong to the job";
}

// Defect: one of two sockets that is never read, and "missing 0.0%".
TEST(Report, ASocketThatIsNeverReadIsMissing) {
  AttemptStart start;
  start.place.host = "node-a";
  start.sensors = {kPackage, {"rapl:package-1", "RAPL package-1", DeviceKind::kCpu}};
  EnergyTotals totals(start);
  for (int second = 1; second <= 10; ++second) {
    EnergySample sample;
    sample.seconds = second;
    sample.readings = {reading_within(1.0, 24.2, 0.05), missing_reading("Permission denied")};
    totals.add(sample);
  }
  const EmissionsReport report = make_emissions_report({totals}, {});
  EXPECT_NEAR(report.energy.joules, 242.0, 1e-9);
  EXPECT_NEAR(report.missing_share, 0.5, 1e-9);
  EXPECT_NEAR(report.energy.high, 1.05 * 242.0 + 242.0, 1e-9);
  ASSERT_EQ(report.doubts.size(), 1u);
  EXPECT_NE(report.doubts[0].find("rapl:package-1 of node-a was never read"), std::string::npos);
  // Where there is nothing like it, what the device draws at work stands in.
  start.sensors = {{"rapl:package-1", "", DeviceKind::kCpu, Quality::kMeasured, 150.0}};
  EnergyTotals alone(start);
  EnergySample sample;
  sample.seconds = 10.0;
  sample.readings = {missing_reading("Permission denied")};
  alone.add(sample);
  EXPECT_NEAR(make_emissions_report({alone}, {}).energy.high, 1500.0, 1e-9);
}

// Defect: a doubt of a meter, or one counter under two names, that no reader of the report sees.
TEST(Report, DoubtsStandOnItsFace) {
  const MeterInfo twin{"rapl:package-1", "RAPL package-1", DeviceKind::kCpu, Quality::kMeasured};
  EnergyTotals totals = FakeRank{.sensors = {kPackage, twin}, .watts = {100.0, 100.0}}.totals();
  totals.sensors[0].doubt = "it is strange";
  const EmissionsReport report = make_emissions_report({totals}, {});
  ASSERT_EQ(report.doubts.size(), 2u);
  EXPECT_NE(report.doubts[0].find("counted the same"), std::string::npos);
  EXPECT_NEAR(report.energy.low, 900.0, 1e-9) << "one of the two";
  FakeMachine machine;
  write_report_markdown(machine.root() / "report.md", report, facts_of_a_run(),
                        account_of(report, {}));
  const std::string text = read_file(machine.root() / "report.md");
  EXPECT_LT(text.find("| Doubt | rapl:package-0 of node-a: it is strange |"),
            text.find("## Energy"));
  write_emissions_json(machine.root() / "emissions.json", report, {});
  const auto json = nlohmann::json::parse(read_file(machine.root() / "emissions.json"));
  EXPECT_EQ(json["doubts"].size(), 2u);
}

// Defect: a field of emissions.json that is absent, misnamed or in another unit.
TEST(Report, WritesJsonForMachines) {
  FakeMachine machine;
  const EmissionsReport report = make_emissions_report(two_nodes(), config_of(1.25, 360.0));
  write_emissions_json(machine.root() / "emissions.json", report, facts_of_a_run());
  const auto json = nlohmann::json::parse(read_file(machine.root() / "emissions.json"));
  EXPECT_EQ(json["format"], "lmtrain-emissions-1");
  EXPECT_EQ(json["run"], "quick");
  EXPECT_DOUBLE_EQ(json["energy_kwh"]["value"], 5600.0 / 3.6e6);
  EXPECT_DOUBLE_EQ(json["facility_kwh"]["value"], 7000.0 / 3.6e6);
  EXPECT_DOUBLE_EQ(json["emissions_kg_co2e"]["value"], 0.0007);
  EXPECT_DOUBLE_EQ(json["joules_per_token"], 5600.0 / 20480.0);
  EXPECT_DOUBLE_EQ(json["g_co2e_per_million_tokens"], 0.7 / 0.02048);
  EXPECT_DOUBLE_EQ(json["flops_per_joule"], 1e9);
  EXPECT_EQ(json["devices"].size(), 4u);
  EXPECT_EQ(json["nodes"].size(), 2u);
  EXPECT_EQ(json["ranks"].size(), 3u);
  EXPECT_EQ(json["attempts"][0]["ended_in_order"], true);
  EXPECT_DOUBLE_EQ(json["attempts"][0]["kg_co2e"].get<double>(), 0.0007);
  EXPECT_DOUBLE_EQ(json["phases"]["forward"]["kwh"], 2800.0 / 3.6e6);
  EXPECT_EQ(json["grid"]["source"], "energy.intensity_g_per_kwh");
}

// Defect: a grid figure without the attribution that its licence asks for.
TEST(Report, NamesTheSourceOfTheGridFigure) {
  FakeMachine machine;
  const EmissionsReport report = make_emissions_report(two_nodes(), {});
  write_emissions_json(machine.root() / "emissions.json", report, {});
  const auto json = nlohmann::json::parse(read_file(machine.root() / "emissions.json"));
  EXPECT_EQ(json["grid"]["source"], "Ember");
  EXPECT_EQ(json["grid"]["licence"], "CC BY 4.0");
  EXPECT_EQ(json["grid"]["code"], "WORLD");
  EXPECT_FALSE(json.contains("joules_per_token")) << "no tokens are known";
  write_report_markdown(machine.root() / "report.md", report, {}, account_of(report, {}));
  EXPECT_NE(read_file(machine.root() / "report.md").find("Ember, Yearly Electricity Data, CC BY"),
            std::string::npos);
}

// Defect: a table whose columns shift, a fence that a sample's text closes, a picture that is not
// there.
TEST(Report, WritesMarkdownForPeople) {
  FakeMachine machine;
  const auto path = machine.root() / "report.md";
  const EmissionsReport report = make_emissions_report(two_nodes(), config_of(1.25, 360.0));
  write_report_markdown(path, report, facts_of_a_run(), account_of(report, {}));
  const std::string text = read_file(path);
  for (
      const char* part :
      {"# Run quick\n", "1,234,567 parameters",
       "| Validation loss, first to last | 8.5000 to 4.2500 |",
       "| Energy of the computers | 1.56 Wh (1.40 to 1.71) |", "| Energy per token | 0.273 J |",
       "| Emissions, CO2e | 700 mg (539 to 889), location-based; the interval contains meters, PUE and grid |",
       "| Energy of the facility | 1.94 Wh (1.75 to 2.14) |",
       "| Counted with | PUE 1.25, 360 gCO2e/kWh, as configured", "| node-b | 500 J (450 to 550) |",
       "````\nOnce upon ``` a time\n````", "```yaml\nrun:\n",
       "![Training and validation loss by step](report_loss.svg)"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\nnot in\n" << text;
  }
  for (const char* picture : {"report_loss.svg", "report_power.svg", "report_phases.svg"}) {
    EXPECT_NE(text.find(picture), std::string::npos);
    EXPECT_TRUE(read_file(machine.root() / picture).starts_with("<svg ")) << picture;
  }
}

// Defect: a fact lost in the file from which a report is written again.
TEST(RunFacts, SurviveTheFile) {
  const RunFacts facts = facts_of_a_run();
  const RunFacts back = parse_run_facts(to_json(facts));
  EXPECT_EQ(to_json(back), to_json(facts));
  EXPECT_EQ(back.tokens, 20480);
  EXPECT_EQ(back.bits_per_byte, 1.9);
  EXPECT_FALSE(back.matmul_share.has_value());
  EXPECT_EQ(back.validation_loss[1].value, 7.6);
  EXPECT_EQ(back.samples[0].text, " upon ``` a time");
  EXPECT_THROW(parse_run_facts("{}"), DataError);
  // Earlier versions did not know of lost energy; whether the run has finished all of them did.
  const auto without = [&](const std::string& key) {
    nlohmann::json object = nlohmann::json::parse(to_json(facts));
    object.erase(key);
    return object.dump();
  };
  EXPECT_NO_THROW(parse_run_facts(without("has_lost_energy")));
  EXPECT_THROW(parse_run_facts(without("finished")), DataError);
  RunFacts torn;
  torn.samples = {{"", "caf\xc3"}};  // a character cut in half
  EXPECT_NO_THROW(parse_run_facts(to_json(torn)));
}

}  // namespace
}  // namespace lmtrain

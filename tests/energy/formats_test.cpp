#include "energy/formats/formats.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/error.h"
#include "base/sha256.h"
#include "energy/formats/wording.h"
#include "tests/energy/fake_rank.h"

namespace lmtrain {
namespace {

using nlohmann::json;

constexpr double kDays = 10.0 / 86400.0;  // each fake rank runs for ten seconds
constexpr double kLifetimeDays = 4 * 365.25;

// 5,600 J at PUE 1.5 and 360 g/kWh: 8,400 J and 0.84 g.
ReportedRun fake_run(const std::string& name = "run") {
  ReportedRun run;
  run.report = make_emissions_report(two_nodes(), config_of(1.5, 360.0));
  run.facts.name = name;
  run.facts.started = "2026-01-31T12:00:00Z";
  run.facts.finished = true;
  run.facts.steps = 10;
  run.facts.tokens = 2000;
  run.facts.flops = 6e12;
  run.facts.num_parameters = 500000;
  run.facts.model = "gpt2, 2 layers";
  run.people.water_l_per_kwh = 1.8;
  run.people.market_g_per_kwh = 36.0;
  run.account = account_of(run.report, run.people);
  run.weights = "runs/x/checkpoints/step-00000010";
  run.weights_sha256 = std::string(64, 'a');
  return run;
}

// Defect: shares of hardware's making counted for the wrong time, twice for a node of two ranks, or
// with the figure of other hardware.
TEST(Account, SharesTheMakingOfTheHardware) {
  const Account account = fake_run().account;
  ASSERT_EQ(account.embodied.size(), 3u);
  const auto grams = [](double kg) { return kg * 1000 * kDays / kLifetimeDays; };
  EXPECT_EQ(account.embodied[0].what, "server for accelerators");
  EXPECT_NEAR(account.embodied[0].grams, grams(2500), 1e-9);
  EXPECT_EQ(account.embodied[1].what, "server");
  EXPECT_NEAR(account.embodied[1].grams, grams(940), 1e-9);
  EXPECT_EQ(account.embodied[2].what, "H100");
  EXPECT_NEAR(account.embodied[2].grams, grams(164), 1e-9);
  EXPECT_FALSE(account.embodied[2].is_assumed);
  EXPECT_TRUE(account.embodied[0].is_assumed);
  EXPECT_NEAR(account.embodied_grams(), grams(2500 + 940 + 164), 1e-9);
  EXPECT_NEAR(account.device_days, kDays, 1e-12);
  EXPECT_EQ(account.num_devices, 1);

  ReportConfig people;
  people.server_embodied_kg_co2e = 100.0;
  people.device_embodied_kg_co2e = 10.0;
  people.lifetime_years = 8.0;
  const Account set = account_of(fake_run().report, people);
  EXPECT_NEAR(set.embodied_grams(), grams(100 + 100 + 10) / 2, 1e-9);
}

// Defect: hours of several ranks or attempts summed as one, or the other way round.
TEST(Account, CountsDevicesAndTheirTime) {
  std::vector<EnergyTotals> totals = {
      FakeRank{.sensors = {kGpu}, .watts = {400.0}}.totals(),
      FakeRank{.rank = 1,
               .sensors = {{"nvml:GPU-b", "H100", DeviceKind::kGpu, Quality::kMeasured}},
               .watts = {400.0}}
          .totals(),
      FakeRank{.attempt = 2, .sensors = {kGpu}, .watts = {400.0}, .first_step = 10, .seconds = 30}
          .totals()};
  const Account account = account_of(make_emissions_report(totals, {}), {});
  EXPECT_NEAR(account.device_days * 86400, 2 * 10 + 30, 1e-9);
  EXPECT_EQ(account.num_devices, 2);
  EXPECT_NEAR(account.wall_days * 86400, 40, 1e-9);
  const Account cpus = account_of(
      make_emissions_report({FakeRank{.sensors = {kPackage}, .watts = {100.0}}.totals()}, {}), {});
  EXPECT_FALSE(cpus.has_gpus);
  EXPECT_NEAR(cpus.device_days, kDays, 1e-12);
  EXPECT_EQ(cpus.devices, "RAPL package-0");
}

// Defect: contracts, offsets or water in the location-based number, or wrong factors.
TEST(Account, KeepsContractsOffsetsAndWaterApart) {
  ReportedRun run = fake_run();
  EXPECT_NEAR(run.account.location.grams, 0.84, 1e-9);
  EXPECT_NEAR(*run.account.market_grams, 0.084, 1e-9);
  EXPECT_NEAR(*run.account.water_litres, 5600 / 3.6e6 * 1.8, 1e-12);
  run.people.offsets_kg_co2e = 5;
  run.people.captured_kg_co2e = 2;
  const Account with = account_of(run.report, run.people);
  EXPECT_EQ(with.offsets_grams, 5000);
  EXPECT_EQ(with.captured_grams, 2000);
  EXPECT_NEAR(with.total_grams(), 0.84 + with.embodied_grams(), 1e-12);
}

// Defect: an interval of emissions that knows the meters' error alone. The fake meters have 10%.
TEST(Account, IntervalsContainPueAndGrid) {
  const Account set = fake_run().account;
  EXPECT_NEAR(set.location.low, 0.84 * 0.9 * 0.95 * 0.9, 1e-9);
  EXPECT_NEAR(set.location.high, 0.84 * 1.1 * 1.05 * 1.1, 1e-9);
  EnergyPrice assumed;
  assumed.grid = find_grid_intensity("WORLD");
  assumed.is_pue_assumed = true;
  const EmissionsReport report = make_emissions_report(
      {FakeRank{.sensors = {kPackage}, .watts = {360.0}, .price = assumed}.totals()}, {});
  const Account of_world = account_of(report, {});
  EXPECT_NEAR(of_world.location.high, 0.47294 * 1.1 * 1.58 * 1.3, 1e-9);
  EXPECT_NEAR(of_world.location.low, 0.47294 * 0.9 * 0.7, 1e-9);
}

// Defect: an export whose energy, emissions or hash are not the run's.
TEST(ReportFormats, HoldTheNumbersOfTheRun) {
  const ReportedRun run = fake_run();
  const json boamps = json::parse(to_format(ReportFormat::kBoamps, run));
  EXPECT_NEAR(boamps["measures"][0]["powerConsumption"].get<double>(), 5600 / 3.6e6, 1e-12);
  EXPECT_EQ(boamps["quality"], "high");
  EXPECT_EQ(boamps["task"]["algorithms"][0]["parametersNumber"], 0.0005);
  const json cyclonedx = json::parse(to_format(ReportFormat::kCyclonedx, run));
  const json& use = cyclonedx["components"][0]["modelCard"]["considerations"]
                             ["environmentalConsiderations"]["energyConsumptions"][0];
  EXPECT_EQ(use["activity"], "training");
  EXPECT_NEAR(use["activityEnergyCost"]["value"].get<double>(), 8400 / 3.6e6, 1e-12);
  EXPECT_NEAR(use["co2CostEquivalent"]["value"].get<double>(), 0.84e-6, 1e-15);
  EXPECT_FALSE(cyclonedx["components"][0].contains("hashes"))
      << "of a checkpoint with its optimizer";
  ReportedRun exported = run;
  exported.is_exported = true;
  EXPECT_EQ(json::parse(to_format(ReportFormat::kCyclonedx,
                                  exported))["components"][0]["hashes"][0]["content"],
            run.weights_sha256);
  const json spdx = json::parse(to_format(ReportFormat::kSpdx, run));
  EXPECT_NEAR(spdx["@graph"][3]["ai_energyConsumption"]["ai_trainingEnergyConsumption"][0]
                  ["ai_energyQuantity"]
                      .get<double>(),
              8400 / 3.6e6, 1e-12);
  const json all = json::parse(to_format(ReportFormat::kJson, run));
  EXPECT_NEAR(all["account"]["sci_g_per_token"].get<double>(), run.account.total_grams() / 2000,
              1e-15);
  EXPECT_NEAR(all["account"]["tokens_per_kwh"].get<double>(), 2000 / (8400 / 3.6e6), 1e-3);
  const CsvTable table = parse_csv(to_format(ReportFormat::kCodecarbon, run), "x");
  ASSERT_EQ(table.columns.size(), 38u);
  EXPECT_NEAR(std::stod(table.rows.at(0).fields[13]), 8400 / 3.6e6, 1e-12);
  EXPECT_NEAR(std::stod(table.rows.at(0).fields[5]), 0.84e-3, 1e-12);
  const std::string gpai = to_format(ReportFormat::kGpai, run);
  EXPECT_NE(gpai.find("| 6.00e+12 FLOP |"), std::string::npos) << gpai;
  EXPECT_NE(gpai.find("0.0000016 MWh (0.0000014 to 0.0000017)"), std::string::npos) << gpai;
  EXPECT_NE(gpai.find(run.weights_sha256), std::string::npos);
  EXPECT_NE(to_format(ReportFormat::kPrometheus, run)
                .find("lmtrain_facility_energy_joules_total{run=\"run\"} 8400"),
            std::string::npos);
  EXPECT_NE(to_format(ReportFormat::kSci, run).find("| E x I | 840 mg"), std::string::npos)
      << to_format(ReportFormat::kSci, run);
}

// Defect: a name with signs of the format that breaks out of its field.
TEST(ReportFormats, EscapeWhatPeopleWrite) {
  ReportedRun run = fake_run("a\"b,c\nd|e\\");
  run.people.publisher = "x | y\n";
  const CsvTable table = parse_csv(to_format(ReportFormat::kCodecarbon, run), "x");
  EXPECT_EQ(table.rows.at(0).fields[3], "a\"b,c\nd|e\\");
  EXPECT_NE(to_format(ReportFormat::kPrometheus, run).find(R"(run="a\"b,c\nd|e\\")"),
            std::string::npos);
  EXPECT_NE(to_format(ReportFormat::kGpai, run).find("| Provider | x \\| y  |\n"),
            std::string::npos);
  EXPECT_EQ(json::parse(to_format(ReportFormat::kBoamps, run))["header"]["publisher"]["name"],
            "x | y\n");
}

// Defect: facts that only people know passed over in silence, and a report of nothing.
TEST(ReportFormats, NameWhatIsMissing) {
  ReportedRun run = fake_run();
  EXPECT_EQ(missing_settings(ReportFormat::kBoamps, run),
            (std::vector<std::string>{"report.publisher", "report.site", "report.infrastructure"}));
  run.people.publisher = "x";
  run.people.site = "y";
  run.people.infrastructure = Infrastructure::kPublicCloud;
  EXPECT_EQ(missing_settings(ReportFormat::kBoamps, run),
            std::vector<std::string>{"report.cloud_provider"});
  run.people.cloud_provider = "z";
  EXPECT_TRUE(missing_settings(ReportFormat::kBoamps, run).empty());
  run.report.attempts[0].price.is_pue_assumed = true;
  EXPECT_EQ(missing_settings(ReportFormat::kPrometheus, run),
            std::vector<std::string>{"energy.pue"});
  EXPECT_NE(to_format(ReportFormat::kGpai, run).find("**missing**"), std::string::npos);
  ReportedRun empty;
  empty.facts.name = "x";
  EXPECT_THROW(to_format(ReportFormat::kJson, empty), DataError);
}

// Defect: another identity for the same run.
TEST(ReportFormats, ARunHasOneIdentity) {
  EXPECT_EQ(uuid_of(fake_run()), uuid_of(fake_run()));
  EXPECT_NE(uuid_of(fake_run()), uuid_of(fake_run("other")));
  const std::string uuid = uuid_of(fake_run());
  EXPECT_EQ(uuid.size(), 36u);
  EXPECT_EQ(uuid[14], '8');
  EXPECT_EQ(uuid[19], 'a');
}

// Defect: figures of too few digits, or rounded to nothing.
TEST(ReportFormats, RoundToSignificantDigits) {
  EXPECT_EQ(significant_text(1234567, 2), "1200000");
  EXPECT_EQ(significant_text(0.000123456, 2), "0.00012");
  EXPECT_EQ(significant_text(9.99, 2), "10");
  EXPECT_EQ(significant_text(0, 2), "0");
  EXPECT_EQ(significant(146.2, 2), 150);
}

// Defect: a hash that is none (the examples of FIPS 180).
TEST(Sha256, AgreesWithTheStandard) {
  Sha256 hash;
  hash.update("ab");
  hash.update("c");
  EXPECT_EQ(hash.digest(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256().digest(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

}  // namespace
}  // namespace lmtrain

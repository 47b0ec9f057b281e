#include "energy/grid/intensity_series.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"
#include "energy/report/account.h"
#include "energy/report/report.h"
#include "tests/energy/fake_machine.h"
#include "tests/energy/fake_rank.h"

namespace lmtrain {
namespace {

constexpr const char* kMaps =
    "Datetime (UTC),Country,Zone name,Zone id,Carbon intensity gCO₂eq/kWh (direct),"
    "Carbon intensity gCO₂eq/kWh (Life cycle),Carbon-free energy percentage (CFE%),"
    "Renewable energy percentage (RE%),Data source,Data estimated,Data estimation method\n"
    "2026-01-31 00:00:00,Germany,Germany,DE,300,350.5,50,45,entsoe,false,\n"
    "2026-01-31 01:00:00,Germany,Germany,DE,310,,50,45,entsoe,true,X\n"
    "2026-01-31 02:00:00,Germany,Germany,DE,320,370,50,45,entsoe,true,X\n";

constexpr const char* kOperator =
    R"({"data":[{"from":"2026-01-31T00:00Z","to":"2026-01-31T00:30Z",
                 "intensity":{"forecast":266,"actual":263,"index":"moderate"}},
                {"from":"2026-01-31T00:30Z","to":"2026-01-31T01:00Z",
                 "intensity":{"forecast":270,"actual":null,"index":"moderate"}}]})";

constexpr const char* kSdk =
    R"([{"Location":"westus","Time":"2026-01-31T00:00:00+00:00","Rating":73.5,"Duration":"01:00:00"},
        {"Location":"westus","Time":"2026-01-31T01:00:00+00:00","Rating":80,"Duration":"01:00:00"}])";

double at(const char* time) { return *parse_time(time); }

std::string complaint_about(const std::string& text) {
  try {
    IntensitySeries::parse(text, "series");
  } catch (const DataError& error) {
    return error.what();
  }
  return "accepted";
}

// Defect: direct emissions taken for those of the life cycle, an empty cell taken for 0, the last
// hour without an end.
TEST(IntensitySeries, ReadsTheCsvOfElectricityMaps) {
  const IntensitySeries series = IntensitySeries::parse(kMaps, "de.csv");
  ASSERT_EQ(series.spans().size(), 2u);
  EXPECT_EQ(series.at(at("2026-01-31T00:59Z")), 350.5);
  EXPECT_EQ(series.at(at("2026-01-31T02:30Z")), 370.0);
  EXPECT_TRUE(series.spans()[1].is_forecast);
  EXPECT_EQ(series.source(), "Electricity Maps, life cycle, zone DE, de.csv");
  EXPECT_EQ(series.at(at("2026-01-30T23:59Z")), std::nullopt);
}

// Defect: earlier files of Electricity Maps, which write "(LCA)", priced by their direct column.
TEST(IntensitySeries, TakesTheLifeCycleOfEarlierFiles) {
  const IntensitySeries series = IntensitySeries::parse(
      "Datetime (UTC),Zone Id,Carbon Intensity gCO₂eq/kWh (direct),Carbon Intensity gCO₂eq/kWh "
      "(LCA)\n2026-01-31 00:00:00,DE,300,350\n",
      "x");
  EXPECT_EQ(series.spans()[0].g_per_kwh, 350.0);
  EXPECT_EQ(series.source(), "Electricity Maps, life cycle, zone DE, x");
}

// Defect: an actual value that is null taken for 0 rather than for the forecast.
TEST(IntensitySeries, ReadsTheJsonOfGreatBritainsOperator) {
  const IntensitySeries series = IntensitySeries::parse(kOperator, "gb.json");
  EXPECT_EQ(series.at(at("2026-01-31T00:10Z")), 263.0);
  EXPECT_FALSE(series.spans()[0].is_forecast);
  EXPECT_EQ(series.at(at("2026-01-31T00:40Z")), 270.0);
  EXPECT_TRUE(series.spans()[1].is_forecast);
  EXPECT_EQ(series.mean(at("2026-01-31T00:15Z"), at("2026-01-31T01:00Z")), (263.0 + 2 * 270) / 3);
}

TEST(IntensitySeries, ReadsTheJsonOfTheCarbonAwareSdk) {
  const IntensitySeries series = IntensitySeries::parse(kSdk, "us.json");
  EXPECT_EQ(series.at(at("2026-01-31T00:10Z")), 73.5);
  EXPECT_EQ(series.mean(at("2026-01-31T00:30Z"), at("2026-01-31T01:30Z")), (73.5 + 80) / 2);
  EXPECT_EQ(series.source(), "Carbon Aware SDK, location westus, us.json");
  const IntensitySeries forecast = IntensitySeries::parse(
      R"([{"forecastData":[{"location":"uk","timestamp":"2026-01-31T00:00:00Z","duration":30,)"
      R"("value":120.5}]}])",
      "f.json");
  EXPECT_EQ(forecast.at(at("2026-01-31T00:29Z")), 120.5);
  EXPECT_EQ(forecast.at(at("2026-01-31T00:31Z")), std::nullopt);
}

TEST(IntensitySeries, ReadsATableOfOnesOwn) {
  const IntensitySeries series = IntensitySeries::parse(
      "time,g_per_kwh,duration\n2026-01-31T00:00Z,100,00:15:00\n2026-01-31T01:00Z,200,00:15:00\n",
      "own.csv");
  EXPECT_EQ(series.at(at("2026-01-31T00:14Z")), 100.0);
  EXPECT_EQ(series.at(at("2026-01-31T00:16Z")), std::nullopt);
  EXPECT_EQ(series.mean(at("2026-01-31T00:10Z"), at("2026-01-31T00:20Z")), std::nullopt);
}

// Defect: a file that is something else counted as hours of 0 g, or a message without its place.
TEST(IntensitySeries, SaysWhatIsWrongAndWhere) {
  const auto has = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(complaint_about(""), "series");
  has(complaint_about("a,b\n1,2\n"), "no columns");
  has(complaint_about("time,g_per_kwh\nnoon,2\n"), "series:2: \"noon\" is not a time");
  has(complaint_about("time,g_per_kwh\n2026-01-31,-2\n"), "series:2: \"-2\" is not an intensity");
  has(complaint_about("time,g_per_kwh\n2026-01-31,nan\n"), "series:2");
  has(complaint_about("time,g_per_kwh\n2026-01-31,9000\n"), "series:2");
  has(complaint_about("time,g_per_kwh\n"), "no intensity");
  has(complaint_about("time,g_per_kwh,duration\n2026-01-31,5,x\n"), "\"x\" is not a duration");
  has(complaint_about("time,g_per_kwh\n2026-01-31,5\n2026-01-31,6\n"), "series:3");
  has(complaint_about("{"), "not valid JSON");
  has(complaint_about("[]"), "no intensity");
  has(complaint_about("[5]"), "entry 1");
  has(complaint_about(R"([{"from":"2026-01-31","to":"2026-01-30","intensity":{"actual":1}}])"),
      "ends before it begins");
  has(complaint_about(R"([{"x":1}])"), "Rating");
  has(complaint_about("Datetime (UTC),Zone id,Carbon intensity (Life cycle)\n2026-01-31,DE,5\n"
                      "2026-02-01,FR,6\n"),
      "series:3: this is of zone FR");
}

// A rank that draws 100 W in each second of ten, of which the first four are of one hour and the
// next four of another; of the last two the series says nothing.
EnergyTotals across_hours(const IntensitySeries& series, double begins, bool in_ledger) {
  FakeRank rank{.sensors = {kPackage}, .watts = {100.0}};
  AttemptStart start = rank.totals().start;
  start.price = EnergyPrice{.pue = 2.0, .grid = find_grid_intensity("DEU"), .series = ""};
  if (in_ledger) start.price->series = series.source();
  EnergyTotals totals(start);
  for (int second = 1; second <= 10; ++second) {
    EnergySample sample;
    sample.seconds = second;
    sample.wall_seconds = begins + second;
    sample.readings = {reading_within(1.0, 100.0, 0.1)};
    const auto grid = series.mean(sample.wall_seconds - 1, sample.wall_seconds);
    if (in_ledger) sample.grid_g_per_kwh = grid;
    totals.add(sample, in_ledger ? std::nullopt : grid);
  }
  return totals;
}

// Defect: the mean of the hours weighed by time rather than by energy, PUE left out, or the seconds
// of which the series says nothing counted at 0.
TEST(IntensitySeries, IsIntegratedAgainstThePower) {
  const IntensitySeries series = IntensitySeries::parse(
      "time,g_per_kwh,duration\n2026-01-31T00:00:00Z,100,00:00:04\n"
      "2026-01-31T00:00:04Z,300,00:00:04\n",
      "s.csv");
  const double begins = at("2026-01-31T00:00Z");
  const double otherwise = find_grid_intensity("DEU").g_per_kwh;
  const double expected = 2.0 * (400 * 100 + 400 * 300 + 200 * otherwise) / 3.6e6;

  const EmissionsReport metered =
      make_emissions_report({across_hours(series, begins, true)}, EnergyConfig{});
  EXPECT_NEAR(metered.cost.emissions.grams, expected, 1e-9);
  EXPECT_EQ(metered.original_cost, std::nullopt);
  ASSERT_FALSE(metered.remarks.empty());
  EXPECT_NE(metered.remarks[0].find("20% of the energy"), std::string::npos) << metered.remarks[0];
  // What travels between ranks says the same.
  const auto sent = parse_energy_totals(to_json({across_hours(series, begins, true)}));
  EXPECT_NEAR(make_emissions_report(sent, {}).cost.emissions.grams, expected, 1e-9);

  // A run that was priced at one number is priced anew by the hours.
  Repricing repricing;
  repricing.series = std::make_shared<const IntensitySeries>(series);
  const EmissionsReport anew =
      make_emissions_report({across_hours(series, begins, false)}, EnergyConfig{}, repricing);
  EXPECT_NEAR(anew.cost.emissions.grams, expected, 1e-9);
  EXPECT_NEAR(anew.original_cost->emissions.grams, 2.0 * 1000 * otherwise / 3.6e6, 1e-9);
  EXPECT_NE(anew.attempts[0].price.grid.source.find("s.csv"), std::string::npos);
}

// Defect: a sample's intensity lost in the ledger.
TEST(IntensitySeries, StandsInTheLedger) {
  EnergySample sample;
  sample.readings = {reading_within(1.0, 100.0, 0.1)};
  sample.grid_g_per_kwh = 123.456;
  const LedgerRecord read = parse_ledger_line(to_line(sample));
  EXPECT_EQ(std::get<EnergySample>(read).grid_g_per_kwh, 123.456);
  sample.grid_g_per_kwh.reset();
  EXPECT_EQ(to_line(sample).find("grid"), std::string::npos);
  EXPECT_THROW(parse_ledger_line(R"({"t":1,"wall":1,"cpu":0,"meter":0,"step":1,"phase":{},)"
                                 R"("read":[],"grid":-1})"),
               DataError);
}

}  // namespace
}  // namespace lmtrain

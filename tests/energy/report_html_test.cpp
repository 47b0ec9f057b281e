#include "energy/report/report_html.h"

#include <gtest/gtest.h>

#include "energy/report/spent_until_step.h"
#include "tests/energy/fake_rank.h"

namespace lmtrain {
namespace {

RunFacts fake_facts() {
  RunFacts facts;
  facts.name = "run";
  facts.model = "gpt2, 2 layers";
  facts.finished = true;
  facts.tokens = 2800;
  facts.steps = 10;
  facts.train_loss = {{1, 5.0}, {10, 4.0}};
  return facts;
}

std::string page_of(const EmissionsReport& report, const RunFacts& facts,
                    const ReportConfig& people = {}) {
  return report_html(report, facts, account_of(report, people), people);
}

bool has(const std::string& page, const std::string& text) {
  return page.find(text) != std::string::npos;
}

size_t count(const std::string& page, const std::string& text) {
  size_t found = 0;
  for (size_t at = page.find(text); at != std::string::npos; at = page.find(text, at + 1)) ++found;
  return found;
}

// Defect: a page that needs a network, runs anything, or leaves out a part.
TEST(ReportHtml, IsOnePageWithEverything) {
  const EmissionsReport report = make_emissions_report(two_nodes(), config_of(1.5, 360.0));
  const std::string page = page_of(report, fake_facts());
  for (const char* part :
       {"<h2>Summary", "<h2>Account", "<h2>What the numbers stand on", "<h2>Energy by device",
        "<h2>Energy by phase", "<h2>Energy by node", "<h2>Energy by rank", "<h2>Energy by attempt",
        "<h2>What time and energy went into"}) {
    EXPECT_TRUE(has(page, part)) << part;
  }
  EXPECT_EQ(count(page, "<svg"), 6u);
  EXPECT_TRUE(has(page, "1.56 Wh"));  // 5,600 J
  EXPECT_TRUE(has(page, "2.00 J</b><span>for each token"));
  EXPECT_TRUE(has(page, "location-based and gross"));
  EXPECT_FALSE(has(page, "<script"));
  EXPECT_EQ(count(page, "http"),
            count(page, "http://www.w3.org/2000/svg") + count(page, "http-equiv"));
  EXPECT_FALSE(has(page, "src="));
}

// Defect: a finished run's page that loads itself for ever, or a growing one that stands still.
TEST(ReportHtml, FollowsARunThatGoesOn) {
  const EmissionsReport report = make_emissions_report(two_nodes(), {});
  RunFacts facts = fake_facts();
  EXPECT_FALSE(has(page_of(report, facts), "http-equiv=\"refresh\""));
  facts.finished = false;
  EXPECT_TRUE(has(page_of(report, facts), "http-equiv=\"refresh\""));
}

// Defect: names, texts or settings that become markup.
TEST(ReportHtml, EscapesWhatIsNotItsOwn) {
  std::vector<EnergyTotals> totals = two_nodes();
  totals[2].start.place.host = "<b>node";
  RunFacts facts = fake_facts();
  facts.name = "<script>alert(1)</script>";
  facts.samples = {{"<i>", "&amp;"}};
  facts.config_yaml = "a: <x>";
  ReportConfig people;
  people.pue_source = "<y>";
  const std::string page = page_of(make_emissions_report(totals, {}), facts, people);
  for (const char* text : {"<script>", "<b>node", "<i>", "<x>", "<y>"})
    EXPECT_FALSE(has(page, text)) << text;
  EXPECT_TRUE(has(page, "&lt;i&gt;&amp;amp;"));
}

// Defect: contracts and offsets that are not shown, or assumed prices that look as if they were
// known.
TEST(ReportHtml, SaysWhatItStandsOn) {
  ReportConfig people;
  people.market_g_per_kwh = 20.0;
  people.offsets_kg_co2e = 5.0;
  EnergyPrice assumed;
  assumed.grid = find_grid_intensity("WORLD");
  assumed.is_pue_assumed = assumed.is_grid_assumed = true;
  const EmissionsReport report = make_emissions_report(
      {FakeRank{.sensors = {kPackage}, .watts = {360.0}, .price = assumed}.totals()}, {});
  const std::string page = page_of(report, fake_facts(), people);
  EXPECT_TRUE(has(page, "electricity, market-based"));
  EXPECT_TRUE(has(page, "<td>offsets</td><td>5.00 kg CO2e</td><td>as given; not subtracted</td>"));
  EXPECT_TRUE(has(page, "nobody set energy.pue"));
  EXPECT_TRUE(has(page, "nobody set energy.region"));
}

// Defect: the energy of a step that was computed again counted once. Attempt 1 computes steps 1 to
// 10 and dies; attempt 2 computes 6 to 15. Each step takes 100 J, and each sample is shared by the
// step at its end and the one before.
TEST(ReportCharts, LossesStandAtTheEnergySpentUntilThen) {
  const EmissionsReport report = make_emissions_report(
      {FakeRank{.sensors = {kPackage}, .watts = {100.0}, .first_step = 1, .stopped = false}
           .totals(),
       FakeRank{.attempt = 2,
                .sensors = {kPackage},
                .watts = {100.0},
                .first_step = 6,
                .wall = 1.7e9 + 60}
           .totals()},
      {});
  EXPECT_DOUBLE_EQ(spent_until_step(report, 0).joules, 0.0);
  EXPECT_DOUBLE_EQ(spent_until_step(report, 3).joules, 350.0);
  EXPECT_DOUBLE_EQ(spent_until_step(report, 5).joules, 550.0);
  EXPECT_DOUBLE_EQ(spent_until_step(report, 6).joules, 1150.0);
  EXPECT_DOUBLE_EQ(spent_until_step(report, 15).joules, 2000.0);
  EXPECT_DOUBLE_EQ(spent_until_step(report, 3).seconds, 3.0);
  EXPECT_DOUBLE_EQ(spent_until_step(report, 6).seconds, 11.0);
  EXPECT_DOUBLE_EQ(spent_until_step(report, 15).seconds, 20.0);
}

}  // namespace
}  // namespace lmtrain

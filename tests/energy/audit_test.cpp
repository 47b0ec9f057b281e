#include "energy/audit/audit.h"

#include <filesystem>
#include <functional>
#include <map>

#include <gtest/gtest.h>

#include "base/error.h"

namespace lmtrain {
namespace {

const std::filesystem::path kPublished = LMTRAIN_SOURCE_DIR "/tests/energy/published_runs.csv";

std::vector<std::string> impossible(const PublishedRun& run) {
  std::vector<std::string> texts;
  for (const AuditFinding& finding : audit(run).findings) {
    if (finding.is_impossible) texts.push_back(finding.text);
  }
  return texts;
}

// A run of LLaMA-65B as published.
PublishedRun honest() {
  PublishedRun run;
  run.hardware = "A100-80GB";
  run.parameters = 65.2e9;
  run.tokens = 1.4e12;
  run.device_hours = 1022362;
  run.least_watts = run.most_watts = 400;
  run.pue = 1.1;
  run.g_per_kwh = 385;
  run.kwh = 449000;
  run.kg_co2e = 173000;
  return run;
}

// Changes one number of the honest run; what is refused must say so with these words.
void expect_refused(const char* words, const std::function<void(PublishedRun&)>& change) {
  PublishedRun run = honest();
  change(run);
  const std::vector<std::string> texts = impossible(run);
  ASSERT_FALSE(texts.empty()) << words;
  bool is_said = false;
  for (const std::string& text : texts) is_said = is_said || text.find(words) != std::string::npos;
  EXPECT_TRUE(is_said) << words << ": " << texts.front();
}

// Defect: honest rows that are refused, or the known impossible one that passes. Each row has at
// least one check, but for the one of embodied emissions alone.
TEST(Audit, PassesWhatWasPublishedHonestly) {
  const std::vector<PublishedRun> runs = read_published_runs(kPublished);
  ASSERT_EQ(runs.size(), 42U);
  for (const PublishedRun& run : runs) {
    const std::vector<std::string> refused = impossible(run);
    if (run.name == "Llama 3.3 70B") {
      ASSERT_EQ(refused.size(), 1U);
      EXPECT_NE(refused[0].find("2.63 gCO2e/kWh, less than any plant"), std::string::npos)
          << refused[0];
    } else {
      EXPECT_TRUE(refused.empty()) << run.name << ": " << refused.front();
    }
    if (run.boundary != "embodied") {
      EXPECT_GT(audit(run).num_checks, 0) << run.name;
    }
  }
}

// Defect: what follows from the numbers counted wrongly.
TEST(Audit, CountsWhatFollows) {
  std::map<std::string, Audit> audits;
  for (const PublishedRun& run : read_published_runs(kPublished)) audits[run.name] = audit(run);
  EXPECT_NEAR(*audits.at("LLaMA-65B").g_per_kwh, 385.3, 0.1);
  // 6 x 65.2e9 x 1.4e12 / (312e12 x 1,022,362 h x 3,600).
  EXPECT_NEAR(*audits.at("LLaMA-65B").mfu, 0.4770, 0.0005);
  EXPECT_NEAR(*audits.at("Olmo 3 7B").watts_per_device, 623.9, 0.1);
  EXPECT_NEAR(*audits.at("PaLM-540B").kwh, 3435700, 1);
}

// Defect: slips of units, of hours or of zeros that pass.
TEST(Audit, RefusesWhatCannotBe) {
  EXPECT_TRUE(impossible(honest()).empty());
  expect_refused("units (W and kW, kg and t) are mixed up",
                 [](PublishedRun& run) { run.kwh = 449; });
  expect_refused("units (W and kW, kg and t) are mixed up",
                 [](PublishedRun& run) { run.kg_co2e = 173; });
  expect_refused("joules or seconds stand for",
                 [](PublishedRun& run) { run.kwh = 449000 * 3600.0; });
  expect_refused("not the 385 that are stated", [](PublishedRun& run) { run.kg_co2e = 300000; });
  expect_refused("a PUE of 0.9 is below 1", [](PublishedRun& run) { run.pue = 0.9; });
  expect_refused("kWh of 0 are not possible", [](PublishedRun& run) { run.kwh = 0; });
  expect_refused("emissions of -1 are not possible", [](PublishedRun& run) { run.kg_co2e = -1; });
  expect_refused("less than any plant causes", [](PublishedRun& run) {
    run.g_per_kwh.reset();
    run.kg_co2e = 1000;
  });
  expect_refused("more than any plant causes", [](PublishedRun& run) {
    run.g_per_kwh.reset();
    run.kg_co2e = 900000;
  });
  expect_refused("W are too much for a A100",
                 [](PublishedRun& run) { run.least_watts = run.most_watts = 4000; });
  expect_refused("draws idle", [](PublishedRun& run) { run.least_watts = run.most_watts = 0.4; });
  expect_refused("% of the peak of a A100", [](PublishedRun& run) { run.tokens = 1.4e13; });
  expect_refused("times what 6 x parameters x tokens gives",
                 [](PublishedRun& run) { run.flops = 5.5e20; });
  expect_refused("do not fit into 10.0 days of 1,024 devices", [](PublishedRun& run) {
    run.days = 10;
    run.devices = 1024;
  });
  expect_refused("no hardware computes so much", [](PublishedRun& run) {
    run.hardware = "";
    run.least_watts = run.most_watts = std::nullopt;
    run.kwh = 100;
    run.kg_co2e = 38.5;
  });
}

// Defect: words of a boundary that switch checks off, hours of devices taken for hours of machines,
// an accelerator that the card only mentions, units of columns that are not read.
TEST(Audit, IsNotLedAstray) {
  expect_refused("not the 385 that are stated", [](PublishedRun& run) {
    run.boundary = "excludes embodied";
    run.kg_co2e = 300000;
  });
  expect_refused("not the 385 that are stated", [](PublishedRun& run) {
    run.boundary = "with embodied";
    run.kg_co2e = 3e6;
  });
  PublishedRun eight;
  eight.hardware = "8xH100";
  eight.devices = 8;
  eight.days = 10;
  eight.device_hours = 1920;
  eight.least_watts = eight.most_watts = 5600;
  EXPECT_EQ(impossible(eight).size(), 1U);
  eight.hardware = "A100 and H100";
  EXPECT_TRUE(impossible(eight).empty()) << "of two kinds nothing is known";
  EXPECT_NE(audit(eight).remark.find("A100 and H100 is not known"), std::string::npos);
  eight.least_watts = eight.most_watts = 400000;
  EXPECT_EQ(impossible(eight).size(), 1U) << "no device draws that";

  const PublishedRun half =
      parse_published_runs("model,energy (kWh),emissions (tCO2e),mood\nm,100,0.04,good\n", "a.csv")
          .at(0);
  EXPECT_EQ(half.kg_co2e, 40);
  EXPECT_EQ(half.unused, std::vector<std::string>{"mood"});

  const auto card = [](const std::string& title, const std::string& value) {
    return parse_published_runs("It can be run on a single T4.\n\n| model | GPU hours | " + title +
                                    " |\n|-|-|-|\n| m | 1.46M | " + value + " |\n",
                                "README.md")
        .at(0);
  };
  EXPECT_EQ(card("Power (W)", "700 W").hardware, "");
  EXPECT_EQ(card("Power (W)", "700 W").least_watts, 700);
  EXPECT_FALSE(card("Carbon intensity (kg CO2/kWh)", "0.4").g_per_kwh);
  EXPECT_EQ(card("CO2 emissions (total, kg)", "400").kg_co2e, 400);
  EXPECT_FALSE(card("kg CO2 emitted per hour", "4").kg_co2e);
  EXPECT_EQ(card("Params (B)", "8").parameters, 8e9);
  EXPECT_EQ(card("tokens_b", "15000").tokens, 15e12);
  EXPECT_FALSE(card("Tokens/s", "100").tokens);
}

// Defect: a table of another tool or a card read with wrong units; unreadable cells that are passed
// over in silence.
TEST(Audit, ReadsTablesJsonAndCards) {
  const auto one = [](const std::string& text, const std::string& name) {
    const std::vector<PublishedRun> runs = parse_published_runs(text, name);
    EXPECT_EQ(runs.size(), 1U);
    return runs.at(0);
  };
  const PublishedRun json =
      one(R"({"model":"m","GPU hours":"1.5k","MWh":2,"tCO2e":0.8,"hardware":"H100"})", "m.json");
  EXPECT_EQ(json.device_hours, 1500);
  EXPECT_EQ(json.kwh, 2000);
  EXPECT_EQ(json.kg_co2e, 800);
  EXPECT_EQ(audit(json).g_per_kwh, 400);

  const std::string codecarbon =
      "project_name,duration,emissions,emissions_rate,cpu_energy,gpu_energy,ram_energy,energy_consumed,gpu_model,pue\n";
  const PublishedRun tracked =
      one(codecarbon + "p,3600,0.4,0.000111111,0.2,0.7,0.1,1.0,,1.0\n", "emissions.csv");
  EXPECT_TRUE(impossible(tracked).empty()) << impossible(tracked).front();
  EXPECT_EQ(
      impossible(one(codecarbon + "p,3600,0.4,0.111111,0.2,0.7,0.1,1.0,,1.0\n", "emissions.csv"))
          .size(),
      1U);
  EXPECT_EQ(
      impossible(one(codecarbon + "p,3600,0.4,0.000111111,0.2,700,0.1,1.0,,1.0\n", "emissions.csv"))
          .size(),
      1U);

  const std::string card =
      "---\nlicence: x\nco2_eq_emissions:\n  emissions: 12900000\n  hardware_used: H100\n---\n# Model\n\n"
      "On H100-80GB:\n\n| | Training Time (GPU hours) | Training Power Consumption (W) | Location-Based Emissions (tons "
      "CO2eq) | Market-Based Emissions (tons CO2eq) |\n| :-- | :-: | :-: | :-: | :-: |\n| Llama 3.3 70B | 7.0M | 700 | 12.9 "
      "| 0 |\n| Llama 3 70B | 6.4M | 700 | 1,900 | 0 |\n";
  const std::vector<PublishedRun> runs = parse_published_runs(card, "README.md");
  ASSERT_EQ(runs.size(), 3U);
  EXPECT_EQ(runs[0].kg_co2e, 12900);
  EXPECT_EQ(runs[1].device_hours, 7e6);
  EXPECT_EQ(impossible(runs[1]).size(), 1U);
  EXPECT_EQ(runs[2].name, "Llama 3 70B");
  EXPECT_TRUE(impossible(runs[2]).empty());

  const auto complaint = [](const std::string& text, const std::string& name) -> std::string {
    try {
      parse_published_runs(text, name);
    } catch (const DataError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(complaint("model,kwh\nm,much\n", "x.csv"), "x.csv:2: kwh: 'much' is not a number");
  EXPECT_EQ(complaint("model,kwh\nm,\"45,2\"\n", "x.csv"), "x.csv:2: kwh: '45,2' is not a number");
  EXPECT_EQ(complaint("model,kwh\nm,1e308T\n", "x.csv"), "x.csv:2: kwh: '1e308T' is not a number");
  EXPECT_EQ(complaint("kwh,MWh\n1,2\n", "x.csv"),
            "x.csv:2: mwh says 2000, another column or key 1 for the same");
  EXPECT_EQ(one("model;kwh\nm;5\n", "x.csv").kwh, 5);
  EXPECT_EQ(parse_published_runs("\xEF\xBB\xBF---\r\nco2_eq_emissions: 12\r\n---\r\n", "x.md")
                .at(0)
                .kg_co2e,
            0.012);
  EXPECT_NE(complaint("a,b\n1,2\n", "x.csv")
                .find("nothing of a run's energy stands in it (there are: a, b)"),
            std::string::npos);
  EXPECT_NE(complaint("# A model\n", "x.md").find("neither co2_eq_emissions"), std::string::npos);
  EXPECT_NE(complaint("{\"a\":[}", "x.json").find("x.json"), std::string::npos);
  EXPECT_NE(complaint("x", "x.pdf").find("audit reads .csv, .tsv, .json and .md"),
            std::string::npos);
}

}  // namespace
}  // namespace lmtrain

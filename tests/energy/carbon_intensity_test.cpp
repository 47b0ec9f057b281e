#include "energy/grid/carbon_intensity.h"

#include <cstdlib>
#include <set>

#include <gtest/gtest.h>

#include "base/error.h"

namespace lmtrain {
namespace {

std::string complaint_about(const std::string& region) {
  try {
    find_grid_intensity(region);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

// Defect: a code in lower case, or with two letters, not found.
TEST(CarbonIntensity, IsFoundByEitherCodeInAnyCase) {
  EXPECT_EQ(find_grid_intensity("DEU").name, "Germany");
  EXPECT_EQ(find_grid_intensity("de").code, "DEU");
  EXPECT_EQ(find_grid_intensity("kr").code, "KOR");
  EXPECT_EQ(find_grid_intensity("World").g_per_kwh, 472.94);
  EXPECT_EQ(find_grid_intensity("WORLD").year, 2024);
}

// Defect: an error that does not name the key, or suggests nothing for an obvious slip.
TEST(CarbonIntensity, AMissNamesTheKeyAndTheNearestEntry) {
  EXPECT_NE(complaint_about("GER").find("energy.region"), std::string::npos);
  EXPECT_NE(complaint_about("GER").find("DEU (Germany)"), std::string::npos);
  EXPECT_NE(complaint_about("germny").find("DEU (Germany)"), std::string::npos);
  EXPECT_NE(complaint_about("UK").find("GBR (United Kingdom)"), std::string::npos);
  EXPECT_NE(complaint_about("WROLD").find("WORLD"), std::string::npos);
  EXPECT_NE(complaint_about("").find("energy.region"), std::string::npos);
  EXPECT_EQ(complaint_about("qqqqqqqq").find("did you mean"), std::string::npos);
}

// Defect: artefacts, zeros, double codes or rows without a source in the table.
TEST(CarbonIntensity, TheTableIsSound) {
  std::set<std::string> codes;
  for (const GridIntensity& grid : carbon_table()) {
    EXPECT_GT(grid.g_per_kwh, 0.0) << grid.code;
    EXPECT_EQ(is_national(grid), grid.source.starts_with("Ember") && !grid.code.starts_with("IN-"))
        << grid.code;
    EXPECT_FALSE(grid.is_direct && is_national(grid)) << grid.code;
    EXPECT_TRUE(grid.pue == 0 || (grid.pue > 1 && grid.pue < 2)) << grid.code;
    EXPECT_FALSE(grid.source.empty()) << grid.code;
    EXPECT_TRUE(codes.insert(grid.code).second) << grid.code;
    if (!grid.iso2.empty()) {
      EXPECT_TRUE(codes.insert(grid.iso2).second) << grid.iso2;
    }
  }
  EXPECT_GT(carbon_table().size(), 200u);
  EXPECT_FALSE(codes.contains("FLK"));
  EXPECT_FALSE(codes.contains("MSR"));
}

// Defect: a region of a cloud or a state that is not found, or is found in one spelling alone.
TEST(CarbonIntensity, KnowsStatesAndRegionsOfClouds) {
  EXPECT_EQ(find_grid_intensity("us-ca").name, "California");
  EXPECT_TRUE(find_grid_intensity("US-CA").is_direct);
  EXPECT_EQ(find_grid_intensity("gcp:europe-west4").g_per_kwh, 208.81);
  EXPECT_EQ(find_grid_intensity("AWS:us-east-1").pue, 1.15);
  EXPECT_EQ(find_grid_intensity("azure:westeurope").g_per_kwh,
            find_grid_intensity("NLD").g_per_kwh);
  EXPECT_NE(complaint_about("gcp:europe-west44").find("gcp:europe-west4 (Eemshaven)"),
            std::string::npos)
      << complaint_about("gcp:europe-west44");
  EXPECT_NE(describe(find_grid_intensity("US-CA")).find("(direct)"), std::string::npos);
}

// Defect: the compiled table and the data that it is made from differ.
TEST(CarbonIntensity, TheTableIsThatOfTheScript) {
  EXPECT_EQ(std::system(LMTRAIN_SOURCE_DIR "/scripts/make_carbon_table.sh --check"), 0);
}

// Defect: a configured number ignored, or a wrong region hidden by it.
TEST(CarbonIntensity, AConfiguredNumberWins) {
  EnergyConfig config;
  config.region = "FRA";
  EXPECT_EQ(grid_intensity(config).code, "FRA");
  config.intensity_g_per_kwh = 12.5;
  EXPECT_EQ(grid_intensity(config).g_per_kwh, 12.5);
  EXPECT_EQ(grid_intensity(config).year, 0);
  config.region = "nowhere";
  EXPECT_THROW(grid_intensity(config), ConfigError);
}

}  // namespace
}  // namespace lmtrain

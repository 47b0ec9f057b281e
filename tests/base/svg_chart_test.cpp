#include "base/svg_chart.h"

#include <cmath>
#include <regex>

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Whether every element that is opened is closed, in order.
bool well_formed(const std::string& svg) {
  std::vector<std::string> open;
  const std::regex tag("<(/?)([a-z]+)[^>]*?(/?)>");
  for (std::sregex_iterator at(svg.begin(), svg.end(), tag), end; at != end; ++at) {
    const std::smatch& match = *at;
    if (match[3] == "/") continue;
    if (match[1] != "/") {
      open.push_back(match[2]);
    } else {
      if (open.empty() || open.back() != match[2]) return false;
      open.pop_back();
    }
  }
  return open.empty();
}

// Defect: ticks are not round numbers, or axes do not reach the data.
TEST(SvgChart, TicksAreRoundAndCoverTheData) {
  EXPECT_EQ(chart_ticks(0.0, 10.0, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(chart_ticks(3.2, 8.7, 5), (std::vector<double>{2, 4, 6, 8, 10}));
  EXPECT_GE(chart_ticks(5.0, 5.0, 5).size(), 2u);
  EXPECT_GE(chart_ticks(0.0, 0.0, 5).size(), 2u);
  EXPECT_GE(chart_ticks(-1e-3, 1e-3, 5).back(), 1e-3);
}

// Defect: a loss of NaN, or a name with an ampersand, makes a picture that does not open.
TEST(SvgChart, SurvivesWhatIsNotFiniteAndWhatIsMarkup) {
  const LineChart chart{"Loss <a> & \"b\"",
                        "step",
                        "nats",
                        {{"training", {1, 2, 3}, {5.0, NAN, 4.0}, false}, {"none", {}, {}, true}}};
  const std::string svg = to_svg(chart);
  EXPECT_TRUE(well_formed(svg));
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_NE(svg.find("Loss &lt;a&gt; &amp; &quot;b&quot;"), std::string::npos);
}

// Defect: a chart without data ends the report.
TEST(SvgChart, DrawsEmptyCharts) {
  EXPECT_NE(to_svg(LineChart{"a", "", "", {}}).find("no data"), std::string::npos);
  EXPECT_NE(to_svg(StackedChart{"a", "", "", {}, {}}).find("no data"), std::string::npos);
  EXPECT_NE(to_svg(BarChart{"a", "", {}}).find("no data"), std::string::npos);
  EXPECT_TRUE(well_formed(to_svg(BarChart{"a", "", {{"zero", 0.0, "0"}}})));
}

// Defect: a picture of a million steps that no browser opens.
TEST(SvgChart, StaysSmallForLongRuns) {
  ChartLine line{"training", {}, {}, false};
  for (int i = 0; i < 200000; ++i) {
    line.x.push_back(i);
    line.y.push_back(1e4 / (i + 1.0));
  }
  EXPECT_LT(to_svg(LineChart{"a", "", "", {line}}).size(), 40000u);
}

// Defect: bands or lines drawn outside the panel.
TEST(SvgChart, StaysWithinItsPanel) {
  const StackedChart chart{"a", "", "", {0, 1, 2}, {{"x", {1, 2}}, {"y", {3, 1}}}};
  const std::string svg = to_svg(chart);
  const std::regex point("[ML]([-0-9.]+) ([-0-9.]+)");
  int points = 0;
  for (std::sregex_iterator at(svg.begin(), svg.end(), point), end; at != end; ++at, ++points) {
    EXPECT_GE(std::stod((*at)[1]), 0.0);
    EXPECT_LE(std::stod((*at)[1]), 760.0);
    EXPECT_GE(std::stod((*at)[2]), 60.0);
    EXPECT_LE(std::stod((*at)[2]), 340.0);
  }
  EXPECT_GT(points, 16);
}

}  // namespace
}  // namespace lmtrain

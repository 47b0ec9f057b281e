// Small charts as SVG text, for reports: a panel of its own background with axes, ticks and a
// legend, that follows the reader's light or dark theme.
#pragma once

#include <string>
#include <vector>

namespace lmtrain {

struct ChartLine {
  std::string name;
  std::vector<double> x;  // as many as y; points that are not finite are left out
  std::vector<double> y;
  bool dots = false;  // points with a thin line between them, rather than a line
};

struct LineChart {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<ChartLine> lines;
};

struct ChartBand {
  std::string name;
  std::vector<double> values;  // one for each interval, at least 0
};

// Bands on top of each other, constant within each interval of x.
struct StackedChart {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<double> edges;  // one more than the values of a band, growing
  std::vector<ChartBand> bands;
};

struct ChartBar {
  std::string name;
  double value = 0.0;  // at least 0
  std::string text;    // written at its end
};

// Horizontal bars.
struct BarChart {
  std::string title;
  std::string x_label;
  std::vector<ChartBar> bars;
};

std::string to_svg(const LineChart& chart);
std::string to_svg(const StackedChart& chart);
std::string to_svg(const BarChart& chart);

// About `wanted` round numbers (1, 2 or 5 times a power of ten apart) that cover [low, high] from
// outside.
std::vector<double> chart_ticks(double low, double high, int wanted);

}  // namespace lmtrain

// Small charts as SVG text, for reports. Each is a panel with its own background, axes, ticks and a
// legend, and follows the reader's light or dark theme.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lmtrain {

struct ChartLine {
  std::string name;
  std::vector<double> x;  // as many as y; non-finite points are left out
  std::vector<double> y;
  bool dots = false;  // draws dots joined by a thin line instead of a plain line
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
  std::vector<double> edges;  // ascending; one more than a band has values
  std::vector<ChartBand> bands;
};

struct ChartBar {
  std::string name;
  double value = 0.0;  // at least 0
  std::string text;    // written at the end of the bar
};

// Horizontal bars.
struct BarChart {
  std::string title;
  std::string x_label;
  std::vector<ChartBar> bars;
};

// Counts in a square, darker where there are more of a row's, such as how often each label was
// predicted as each.
struct MatrixChart {
  std::string title;
  std::string row_label;
  std::string column_label;
  std::vector<std::string> names;            // of rows and columns
  std::vector<std::vector<int64_t>> counts;  // at least 0
};

std::string to_svg(const LineChart& chart);
std::string to_svg(const MatrixChart& chart);
std::string to_svg(const StackedChart& chart);
std::string to_svg(const BarChart& chart);

// Returns about `wanted` round numbers, 1, 2 or 5 times a power of ten apart. The first is at most
// `low`, the last at least `high`.
std::vector<double> chart_ticks(double low, double high, int wanted);

}  // namespace lmtrain

#include "base/svg_chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>

#include "base/markup.h"
#include "base/text.h"
#include "base/utf8.h"

namespace lmtrain {
namespace {

constexpr double kWidth = 760.0;
constexpr double kHeight = 340.0;
constexpr double kTop = 66.0;
constexpr double kRight = 22.0;
constexpr double kBottom = 54.0;
constexpr size_t kMaxPointsOfLine = 600;
constexpr double kBarPitch = 30.0;

// These colours are readable on the light and on the dark panel.
constexpr std::array<const char*, 8> kColours = {"#3b7dd8", "#e0823d", "#3fa35f", "#a15fc0",
                                                 "#d64f62", "#22a0a8", "#b59a1c", "#868e96"};

const char* colour(size_t i) { return kColours[i % kColours.size()]; }

std::string at(double x, double y) { return cat(fixed(x, 1), " ", fixed(y, 1)); }

std::string text_at(double x, double y, const char* anchor, const std::string& text,
                    const char* style = "") {
  return cat("<text x=\"", fixed(x, 1), "\" y=\"", fixed(y, 1), "\" text-anchor=\"", anchor, "\"",
             *style == 0 ? "" : cat(" class=\"", style, "\""), ">", markup_text(text), "</text>\n");
}

std::string panel(const std::string& title, double height) {
  return cat("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", kWidth, " ", height,
             "\" width=\"", kWidth, "\" height=\"", height,
             "\" font-family=\"system-ui, 'DejaVu Sans', sans-serif\" font-size=\"12\">\n",
             "<style>.panel{fill:#ffffff;stroke:#d0d7de}text{fill:#424a53}.title{fill:#1f2328;"
             "font-size:15px;font-weight:600}.grid{stroke:#d8dee4}.axis{stroke:#8c959f}"
             "@media(prefers-color-scheme:dark){.panel{fill:#161b22;stroke:#30363d}"
             "text{fill:#b1bac4}.title{fill:#e6edf3}.grid{stroke:#2b323b}.axis{stroke:#6e7681}}"
             "</style>\n<title>",
             markup_text(title),
             "</title>\n<rect class=\"panel\" x=\"0.5\" y=\"0.5\" rx=\"6\" width=\"", kWidth - 1,
             "\" height=\"", height - 1, "\"/>\n", text_at(18, 27, "start", title, "title"));
}

std::string legend(const std::vector<std::string>& names) {
  std::string svg;
  double x = 18.0;
  for (size_t i = 0; i < names.size(); ++i) {
    svg += cat("<rect x=\"", fixed(x, 1), "\" y=\"39\" width=\"11\" height=\"11\" rx=\"2\" fill=\"",
               colour(i), "\"/>\n", text_at(x + 16, 49, "start", names[i]));
    x += 38.0 + 7.2 * static_cast<double>(names[i].size());
  }
  return svg;
}

std::string tick_text(double value, double step) {
  if (step >= 1.0) return with_commas(std::llround(value));
  const int digits = std::min(9, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  return fixed(value, digits);
}

// Draws linear axes over round numbers and maps values to places on the panel.
class Frame {
 public:
  Frame(double x_low, double x_high, double y_low, double y_high, double height = kHeight,
        double left = 70.0)
      : x_ticks_(chart_ticks(x_low, x_high, 8)),
        y_ticks_(chart_ticks(y_low, y_high, 5)),
        x_low_(x_low),
        x_high_(x_high > x_low ? x_high : x_low + 1.0),
        left_(left),
        bottom_(height - kBottom) {}

  double x(double value) const {
    return left_ + (value - x_low_) / (x_high_ - x_low_) * (kWidth - kRight - left_);
  }
  double y(double value) const {
    const double low = y_ticks_.front();
    return bottom_ - (value - low) / (y_ticks_.back() - low) * (bottom_ - kTop);
  }

  std::string x_axis(const std::string& label) const {
    std::string svg = cat("<path class=\"axis\" fill=\"none\" d=\"M", at(left_, bottom_), "H",
                          fixed(kWidth - kRight, 1), "\"/>\n");
    for (const double tick : x_ticks_) {
      if (tick < x_low_ - 1e-9 || tick > x_high_ * (1 + 1e-9)) continue;
      svg += cat(
          "<path class=\"axis\" d=\"M", at(x(tick), bottom_), "V", fixed(bottom_ + 4, 1), "\"/>\n",
          text_at(x(tick), bottom_ + 18, "middle", tick_text(tick, x_ticks_[1] - x_ticks_[0])));
    }
    return svg + text_at(0.5 * (left_ + kWidth - kRight), bottom_ + 40, "middle", label);
  }

  std::string y_axis(const std::string& label) const {
    std::string svg;
    for (const double tick : y_ticks_) {
      svg +=
          cat("<path class=\"grid\" d=\"M", at(left_, y(tick)), "H", fixed(kWidth - kRight, 1),
              "\"/>\n",
              text_at(left_ - 8, y(tick) + 4, "end", tick_text(tick, y_ticks_[1] - y_ticks_[0])));
    }
    const double middle = 0.5 * (kTop + bottom_);
    return svg + cat("<text text-anchor=\"middle\" transform=\"translate(19 ", fixed(middle, 1),
                     ") rotate(-90)\">", markup_text(label), "</text>\n");
  }

 private:
  std::vector<double> x_ticks_;
  std::vector<double> y_ticks_;
  double x_low_;
  double x_high_;
  double left_;
  double bottom_;
};

struct Span {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

struct Point {
  double x;
  double y;
};

// Returns the finite points, averaged over neighbours when there are more than a chart can show.
std::vector<Point> points_of(const ChartLine& line) {
  std::vector<Point> points;
  for (size_t i = 0; i < std::min(line.x.size(), line.y.size()); ++i) {
    if (std::isfinite(line.x[i]) && std::isfinite(line.y[i]))
      points.push_back({line.x[i], line.y[i]});
  }
  const size_t group = (points.size() + kMaxPointsOfLine - 1) / kMaxPointsOfLine;
  if (group <= 1) return points;
  std::vector<Point> means;
  for (size_t begin = 0; begin < points.size(); begin += group) {
    const size_t end = std::min(points.size(), begin + group);
    Point sum{0.0, 0.0};
    for (size_t i = begin; i < end; ++i) sum = {sum.x + points[i].x, sum.y + points[i].y};
    const auto count = static_cast<double>(end - begin);
    means.push_back({sum.x / count, sum.y / count});
  }
  return means;
}

std::string empty_chart(const std::string& title) {
  return cat(panel(title, 90), text_at(18, 58, "start", "no data"), "</svg>\n");
}

}  // namespace

std::vector<double> chart_ticks(double low, double high, int wanted) {
  if (high <= low) high = low + (low == 0.0 ? 1.0 : std::abs(low) * 0.1);
  const double raw = (high - low) / std::max(1, wanted);
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double lead = raw / power;
  const double step = power * (lead <= 1.0 ? 1.0 : lead <= 2.0 ? 2.0 : lead <= 5.0 ? 5.0 : 10.0);
  std::vector<double> ticks;
  const auto first = static_cast<int64_t>(std::floor(low / step + 1e-9));
  const auto last = static_cast<int64_t>(std::ceil(high / step - 1e-9));
  for (int64_t i = first; i <= last; ++i) ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

std::string to_svg(const LineChart& chart) {
  Span x;
  Span y;
  std::vector<std::vector<Point>> lines;
  std::vector<std::string> names;
  for (const ChartLine& line : chart.lines) {
    names.push_back(line.name);
    for (const Point& point : lines.emplace_back(points_of(line))) {
      x.add(point.x);
      y.add(point.y);
    }
  }
  if (x.empty()) return empty_chart(chart.title);
  const Frame frame(x.low, x.high, y.low, y.high);
  std::string svg = cat(panel(chart.title, kHeight), legend(names), frame.y_axis(chart.y_label),
                        frame.x_axis(chart.x_label));
  for (size_t i = 0; i < lines.size(); ++i) {
    std::string path;
    for (const Point& point : lines[i]) {
      path += cat(path.empty() ? "M" : "L", at(frame.x(point.x), frame.y(point.y)));
    }
    if (path.empty()) continue;
    const bool dots = chart.lines[i].dots;
    svg += cat("<path fill=\"none\" stroke=\"", colour(i), "\" stroke-width=\"", dots ? 1.0 : 1.8,
               "\" stroke-linejoin=\"round\" d=\"", path, "\"/>\n");
    for (const Point& point : lines[i]) {
      if (!dots) break;
      svg += cat("<circle cx=\"", fixed(frame.x(point.x), 1), "\" cy=\"",
                 fixed(frame.y(point.y), 1), "\" r=\"3.6\" fill=\"", colour(i), "\"/>\n");
    }
  }
  return svg + "</svg>\n";
}

std::string to_svg(const StackedChart& chart) {
  const size_t count = chart.edges.empty() ? 0 : chart.edges.size() - 1;
  std::vector<double> top(count, 0.0);
  std::vector<std::string> names;
  for (const ChartBand& band : chart.bands) {
    names.push_back(band.name);
    for (size_t i = 0; i < count; ++i) top[i] += band.values.at(i);
  }
  if (count == 0 || names.empty()) return empty_chart(chart.title);
  const Frame frame(chart.edges.front(), chart.edges.back(), 0.0,
                    *std::max_element(top.begin(), top.end()));
  std::string svg = cat(panel(chart.title, kHeight), legend(names), frame.y_axis(chart.y_label),
                        frame.x_axis(chart.x_label));
  std::vector<double> base(count, 0.0);
  for (size_t b = 0; b < chart.bands.size(); ++b) {
    std::string upper;
    std::string lower;
    for (size_t i = 0; i < count; ++i) {
      const double left = frame.x(chart.edges[i]);
      const double right = frame.x(chart.edges[i + 1]);
      const double from = frame.y(base[i]);
      base[i] += chart.bands[b].values[i];
      const double to = frame.y(base[i]);
      upper += cat(i == 0 ? "M" : "L", at(left, to), "L", at(right, to));
      lower = cat("L", at(right, from), "L", at(left, from)) + lower;
    }
    svg +=
        cat("<path fill=\"", colour(b), "\" fill-opacity=\"0.85\" d=\"", upper, lower, "Z\"/>\n");
  }
  return svg + "</svg>\n";
}

std::string to_svg(const MatrixChart& chart) {
  constexpr double kCell = 34.0;
  constexpr double kNameWidth = 150.0;
  constexpr size_t kNameLetters = 18;
  const size_t size = chart.names.size();
  const auto side = static_cast<double>(size) * kCell;
  const double left = 40.0 + kNameWidth;
  const double top = kTop;
  const double bottom = top + side;
  const auto shown = [&](const std::string& name) {
    return name.size() <= kNameLetters ? name : shown_as_utf8(name.substr(0, kNameLetters)) + "..";
  };
  std::string svg =
      cat(panel(chart.title, bottom + kNameWidth + 20),
          text_at(left, 52, "start",
                  chart.column_label + " below, " + chart.row_label + " at the left"));
  for (size_t row = 0; row < size; ++row) {
    int64_t all = 0;
    for (const int64_t count : chart.counts[row]) all += count;
    const double y = top + static_cast<double>(row) * kCell;
    svg += text_at(left - 8, y + 0.5 * kCell + 4, "end", shown(chart.names[row]));
    const double x_of_name = left + (static_cast<double>(row) + 0.5) * kCell;
    svg += cat("<text text-anchor=\"end\" transform=\"translate(", at(x_of_name + 4, bottom + 10),
               ") rotate(-60)\">", markup_text(shown(chart.names[row])), "</text>\n");
    for (size_t column = 0; column < size; ++column) {
      const int64_t count = chart.counts[row][column];
      const double share = all > 0 ? static_cast<double>(count) / static_cast<double>(all) : 0.0;
      const double x = left + static_cast<double>(column) * kCell;
      svg += cat("<rect x=\"", fixed(x, 1), "\" y=\"", fixed(y, 1), "\" width=\"", kCell - 2,
                 "\" height=\"", kCell - 2, "\" rx=\"3\" fill=\"", colour(row == column ? 0 : 1),
                 "\" fill-opacity=\"", fixed(0.06 + 0.84 * share, 2), "\"/>\n");
      if (count > 0)
        svg += text_at(x + 0.5 * kCell - 1, y + 0.5 * kCell + 3, "middle", with_commas(count));
    }
  }
  return svg + "</svg>\n";
}

std::string to_svg(const BarChart& chart) {
  if (chart.bars.empty()) return empty_chart(chart.title);
  double longest = 0.0;
  size_t widest = 0;
  for (const ChartBar& bar : chart.bars) {
    longest = std::max(longest, bar.value);
    widest = std::max(widest, bar.name.size());
  }
  const double top = 44.0;
  const double height = top + kBarPitch * static_cast<double>(chart.bars.size()) + kBottom + 4;
  // Room at the right end for the text of the longest bar.
  const Frame frame(0.0, longest > 0.0 ? longest * 1.25 : 1.0, 0.0, 1.0, height,
                    34.0 + 7.2 * static_cast<double>(widest));
  std::string svg = cat(panel(chart.title, height), frame.x_axis(chart.x_label));
  for (size_t i = 0; i < chart.bars.size(); ++i) {
    const ChartBar& bar = chart.bars[i];
    const double y = top + kBarPitch * static_cast<double>(i);
    const double begin = frame.x(0.0);
    const double end = frame.x(bar.value);
    svg += cat(text_at(begin - 8, y + 18, "end", bar.name), "<rect x=\"", fixed(begin, 1),
               "\" y=\"", fixed(y + 4, 1), "\" width=\"", fixed(end - begin, 1),
               "\" height=\"20\" rx=\"2\" fill=\"", colour(i), "\"/>\n",
               text_at(end + 7, y + 18, "start", bar.text));
  }
  return svg + "</svg>\n";
}

}  // namespace lmtrain

#include "energy/report/report_charts.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/svg_chart.h"
#include "base/text.h"
#include "energy/report/spent_until_step.h"

namespace lmtrain {
namespace {

constexpr size_t kMaxBins = 180;
constexpr std::array<const char*, kNumDeviceKinds> kKindNames = {"processors", "memory", "GPUs",
                                                                 "other"};

ChartLine chart_line(const std::string& name, const std::vector<CurvePoint>& points, bool dots) {
  ChartLine line{name, {}, {}, dots};
  for (const CurvePoint& point : points) {
    line.x.push_back(static_cast<double>(point.step));
    line.y.push_back(point.value);
  }
  return line;
}

// A unit of time and its length in seconds.
struct TimeUnit {
  const char* name;
  double seconds;
};
TimeUnit time_unit(double seconds) {
  if (seconds < 300.0) return {"seconds", 1.0};
  if (seconds < 3.0 * 3600.0) return {"minutes", 60.0};
  return {"hours", 3600.0};
}

// When an attempt begins, if the attempts before it ran without pauses between them.
double begin_of(const EmissionsReport& report, int64_t attempt) {
  double begin = 0.0;
  for (const AttemptEnergy& earlier : report.attempts) {
    if (earlier.attempt < attempt) begin += earlier.seconds;
  }
  return begin;
}

// Two samples of rank 0 for each bin.
size_t num_bins(const std::vector<EnergyTotals>& totals) {
  size_t points = 0;
  for (const EnergyTotals& one : totals) {
    if (one.start.place.rank == 0) points += one.series.points().size();
  }
  return std::clamp<size_t>(points / 2, 1, kMaxBins);
}

const char* unit_of_loss(const RunFacts& facts) {
  return facts.confusion ? "nats per label" : "nats per token";
}

}  // namespace

std::vector<std::array<double, kNumDeviceKinds>> power_over_time(const EmissionsReport& report,
                                                                 size_t num_bins) {
  std::vector<std::array<double, kNumDeviceKinds>> watts(num_bins);
  const double width = report.seconds / static_cast<double>(num_bins);
  const auto bin_of = [&](double time) {
    return std::min(num_bins - 1, static_cast<size_t>(time / width));
  };
  for (const EnergyTotals& one : report.totals) {
    const double offset = begin_of(report, one.start.attempt);
    double begin = offset;
    for (const EnergySeries::Point& point : one.series.points()) {
      const double end = offset + point.seconds;
      for (size_t bin = bin_of(begin); bin <= bin_of(end) && end > begin; ++bin) {
        const double from = std::max(begin, static_cast<double>(bin) * width);
        const double to = std::min(end, static_cast<double>(bin + 1) * width);
        const double share = std::max(0.0, to - from) / (end - begin);
        for (size_t k = 0; k < point.joules.size(); ++k) {
          watts[bin][k] += share * point.joules[k] / width;
        }
      }
      begin = end;
    }
  }
  return watts;
}

std::string loss_chart(const RunFacts& facts) {
  if (facts.train_loss.empty() && facts.validation_loss.empty()) return "";
  return to_svg(LineChart{"Loss",
                          "step",
                          unit_of_loss(facts),
                          {chart_line("training", facts.train_loss, false),
                           chart_line("validation", facts.validation_loss, true)}});
}

std::string power_chart(const EmissionsReport& report) {
  if (report.seconds <= 0.0 || report.energy.joules <= 0.0) return "";
  const size_t bins = num_bins(report.totals);
  const auto watts = power_over_time(report, bins);
  const TimeUnit unit = time_unit(report.seconds);
  const char* note = report.attempts.size() > 1 ? " (without the pauses between attempts)" : "";
  StackedChart chart{"Power", cat(unit.name, " of running", note), "watts", {}, {}};
  for (size_t i = 0; i <= bins; ++i) {
    chart.edges.push_back(report.seconds * static_cast<double>(i) / static_cast<double>(bins) /
                          unit.seconds);
  }
  for (size_t k = 0; k < kNumDeviceKinds; ++k) {
    ChartBand band{kKindNames[k], {}};
    for (const auto& bin : watts) band.values.push_back(bin[k]);
    const double sum = std::accumulate(band.values.begin(), band.values.end(), 0.0);
    if (sum > 0.0) chart.bands.push_back(std::move(band));
  }
  return to_svg(chart);
}

namespace {

// The running sum of `amount` (of joules, in an attempt), at the ends of the pieces of all ranks.
std::string cumulative_chart(
    const EmissionsReport& report, const std::string& title, const std::string& unit,
    const std::function<double(double joules, const AttemptEnergy&)>& amount) {
  if (report.seconds <= 0.0 || report.energy.joules <= 0.0) return "";
  std::vector<std::pair<double, double>> pieces;  // end and amount
  for (const EnergyTotals& one : report.totals) {
    const auto attempt =
        std::ranges::find(report.attempts, one.start.attempt, &AttemptEnergy::attempt);
    const double offset = begin_of(report, one.start.attempt);
    for (const EnergySeries::Point& point : one.series.points()) {
      const double joules = std::accumulate(point.joules.begin(), point.joules.end(), 0.0);
      pieces.emplace_back(offset + point.seconds, amount(joules, *attempt));
    }
  }
  std::ranges::sort(pieces);
  const TimeUnit time = time_unit(report.seconds);
  ChartLine line{unit, {0.0}, {0.0}, false};
  for (const auto& [end, more] : pieces) {
    line.x.push_back(end / time.seconds);
    line.y.push_back(line.y.back() + more);
  }
  return to_svg(LineChart{title, cat(time.name, " of running"), unit, {std::move(line)}});
}

}  // namespace

std::string cumulative_energy_chart(const EmissionsReport& report) {
  const bool is_small = report.energy.joules < 3.6e6;
  return cumulative_chart(report, "Energy so far", is_small ? "Wh" : "kWh",
                          [&](double joules, const AttemptEnergy&) {
                            return is_small ? joules / 3600.0 : kwh(joules);
                          });
}

std::string cumulative_emissions_chart(const EmissionsReport& report) {
  const bool is_small = report.cost.emissions.grams < 1000.0;
  return cumulative_chart(report, "Emissions so far", is_small ? "gCO2e" : "kgCO2e",
                          [&](double joules, const AttemptEnergy& attempt) {
                            const double grams = joules * attempt.price.grams_per_joule();
                            return is_small ? grams : grams / 1000.0;
                          });
}

std::string loss_by_energy_chart(const EmissionsReport& report, const RunFacts& facts) {
  if (report.energy.joules <= 0.0 || facts.train_loss.empty()) return "";
  const bool is_small = report.energy.joules < 3.6e6;
  const auto line = [&](const std::string& name, const std::vector<CurvePoint>& points, bool dots) {
    ChartLine result{name, {}, {}, dots};
    for (const CurvePoint& point : points) {
      const double joules = spent_until_step(report, point.step).joules;
      result.x.push_back(is_small ? joules / 3600.0 : kwh(joules));
      result.y.push_back(point.value);
    }
    return result;
  };
  return to_svg(LineChart{"Loss over energy",
                          is_small ? "Wh of the computers" : "kWh of the computers",
                          unit_of_loss(facts),
                          {line("training", facts.train_loss, false),
                           line("validation", facts.validation_loss, true)}});
}

std::string phase_chart(const EmissionsReport& report) {
  if (report.energy.joules <= 0.0) return "";
  BarChart chart{"Energy by phase", "Wh", {}};
  for (int i = 0; i < kNumPhases; ++i) {
    const double joules = report.phases[static_cast<size_t>(i)].joules;
    const double percent = 100.0 * joules / report.energy.joules;
    if (joules <= 0.0) continue;
    chart.bars.push_back({std::string(phase_name(static_cast<Phase>(i))), joules / 3600.0,
                          cat(fixed(percent, 1), "%")});
  }
  return to_svg(chart);
}

std::string confusion_chart(const RunFacts& facts) {
  constexpr size_t kMostLabels = 16;  // that fit on the panel
  if (!facts.confusion || facts.confusion->labels.size() > kMostLabels) return "";
  return to_svg(MatrixChart{"Labels of the validation texts", "right label", "predicted label",
                            facts.confusion->labels, facts.confusion->counts});
}

}  // namespace lmtrain

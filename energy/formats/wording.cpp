#include "energy/formats/wording.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"
#include "energy/amount_text.h"
#include "energy/report/report_rows.h"

namespace lmtrain {
namespace {

// "nvml" of "nvml:GPU-...".
std::string source_of(const std::string& key) { return key.substr(0, key.find(':')); }

std::string sources(const EmissionsReport& report, Quality quality) {
  std::set<std::string> names;
  for (const DeviceEnergy& device : report.devices) {
    if (device.sensor.quality == quality && device.covered_seconds > 0)
      names.insert(source_of(device.sensor.key));
  }
  return join({names.begin(), names.end()}, ", ");
}

}  // namespace

std::string model_name(const ReportedRun& run) {
  return run.people.model.empty() ? run.facts.name : run.people.model;
}

std::string model_title(const ReportedRun& run) { return markdown_cell(model_name(run)); }

std::string architecture_text(const ReportedRun& run) {
  return run.people.architecture.empty() ? run.facts.model : run.people.architecture;
}

std::string hardware_text(const ReportedRun& run) {
  const Account& account = run.account;
  if (account.has_gpus) return cat(account.num_devices, " x ", account.devices);
  return cat(counted(account.num_devices, "node"), " without accelerators, ",
             counted(run.facts.num_ranks, "rank"), ", ", account.devices);
}

double pue_of(const ReportedRun& run) {
  return run.report.cost.facility.joules / run.report.energy.joules;
}

std::string method_text(const ReportedRun& run) {
  const EmissionsReport& report = run.report;
  std::string text =
      cat("lmtrain's power logger on every rank, each sensor counted once, over ",
          report.attempts.size() == 1 ? std::string("the run's only attempt")
                                      : cat("all ", report.attempts.size(),
                                            " attempts of the run, "
                                            "also those that failed or were repeated"),
          ". ");
  const std::string measured = sources(report, Quality::kMeasured);
  const std::string modelled = sources(report, Quality::kModelled);
  text += percent(report.measured_share) + " measured" +
          (measured.empty() ? "" : " (" + measured + ")");
  text += ", " + percent(report.modelled_share) + " modelled" +
          (modelled.empty() ? "" : " from load, size and design power");
  text += ", " + percent(report.missing_share) + " not read. ";
  if (!report.shared_nodes.empty())
    text +=
        "On shared nodes only this job's part, by processor time and memory, is counted; the high end is that of the whole node. ";
  return text +
         "The interval of the energy holds the errors of the meters and models, that of the emissions also those of PUE and grid.";
}

std::string boundary_text(const ReportedRun& run) {
  const bool has_prepared = run.report.phases[static_cast<size_t>(Phase::kPreparation)].joules > 0;
  const std::string left_out = networks_and_storage_left_out(run.report);
  return cat(
      "Energy of the computers: processors, memory and accelerators of all nodes, from the start of each "
      "attempt to its end, with start-up, ",
      has_prepared ? "preparation of the text, " : "",
      "evaluation and checkpoints. Energy of the facility: times PUE. Not included: ",
      has_prepared ? "" : "preparation of the text, which was found prepared; ",
      left_out.empty() ? "" : left_out + "; ", "the time between attempts.");
}

std::string flops_text() {
  return "Counted from the shapes of all matrix products of forward and backward passes, for each token once; "
         "recomputation and repeated steps are not counted.";
}

std::string grid_text(const ReportedRun& run) {
  if (const EnergyPrice* price = run.report.one_price())
    return describe(price->grid) + (price->is_grid_assumed ? ", assumed" : "");
  return "by attempt, which ran with different PUE or grids";
}

std::string uuid_of(const ReportedRun& run) {
  const std::string text = cat(run.facts.name, "\n", run.facts.started, "\n", run.facts.steps);
  const std::string digits = hex16(hash_bytes(text.data(), text.size(), 1)) +
                             hex16(hash_bytes(text.data(), text.size(), 2));
  // The digits of version and variant are fixed (RFC 9562).
  return cat(digits.substr(0, 8), "-", digits.substr(8, 4), "-8", digits.substr(13, 3), "-a",
             digits.substr(17, 3), "-", digits.substr(20, 12));
}

std::string begin_text(const ReportedRun& run) {
  double begin = 0;
  for (const AttemptEnergy& attempt : run.report.attempts) {
    if (begin == 0 || attempt.wall_seconds < begin) begin = attempt.wall_seconds;
  }
  return utc_text(begin);
}

std::string end_text(const ReportedRun& run) {
  double end = 0;
  for (const AttemptEnergy& attempt : run.report.attempts)
    end = std::max(end, attempt.wall_seconds + attempt.seconds);
  return utc_text(end);
}

double significant(double value, int digits) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double scale =
      std::pow(10.0, digits - 1 - static_cast<int>(std::floor(std::log10(std::abs(value)))));
  return std::round(value * scale) / scale;
}

std::string significant_text(double value, int digits) {
  const double rounded = significant(value, digits);
  if (rounded == 0) return "0";
  const int power = static_cast<int>(std::floor(std::log10(std::abs(rounded))));
  return fixed(rounded, std::max(0, digits - 1 - power));
}

std::string document(const nlohmann::ordered_json& value) {
  return value.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace lmtrain

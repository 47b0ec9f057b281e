// Prometheus' text exposition format, for a textfile collector.
#include "base/text.h"
#include "energy/formats/wording.h"

namespace lmtrain {
namespace {

std::string escaped(const std::string& text) {
  std::string result;
  for (const char letter : text) {
    if (letter == '\\' || letter == '"') result += '\\';
    result += letter == '\n' ? std::string("\\n") : std::string(1, letter);
  }
  return result;
}

using Labels = std::vector<std::pair<std::string, std::string>>;

class Metrics {
 public:
  explicit Metrics(const std::string& run) : run_(escaped(run)) {}

  void family(const char* name, const char* type, const char* help) {
    name_ = name;
    text_ += cat("# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
  }
  void sample(double value, const Labels& labels = {}) {
    text_ += cat(name_, "{run=\"", run_, "\"");
    for (const auto& [label, of] : labels) text_ += cat(",", label, "=\"", escaped(of), "\"");
    text_ += cat("} ", shortest(value), "\n");
  }
  std::string text() const { return text_; }

 private:
  std::string run_;
  std::string name_;
  std::string text_;
};

}  // namespace

std::string to_prometheus(const ReportedRun& run) {
  const EmissionsReport& report = run.report;
  Metrics metrics(run.facts.name);
  metrics.family("lmtrain_energy_joules_total", "counter", "Energy of the computers by device.");
  for (const DeviceEnergy& device : report.devices) {
    metrics.sample(device.energy.joules,
                   {{"host", device.host},
                    {"sensor", device.sensor.key},
                    {"kind", std::string(device_kind_name(device.sensor.kind))},
                    {"quality", std::string(quality_name(device.sensor.quality))}});
  }
  metrics.family("lmtrain_energy_phase_joules_total", "counter",
                 "Energy of the computers by phase.");
  for (int i = 0; i < kNumPhases; ++i) {
    const double joules = report.phases[static_cast<size_t>(i)].joules;
    if (joules > 0)
      metrics.sample(joules, {{"phase", std::string(phase_name(static_cast<Phase>(i)))}});
  }
  metrics.family("lmtrain_energy_wasted_joules_total", "counter",
                 "Energy spent on steps that were computed again.");
  metrics.sample(report.wasted_joules());
  metrics.family("lmtrain_facility_energy_joules_total", "counter",
                 "Energy of the facility (with PUE).");
  metrics.sample(report.cost.facility.joules);
  metrics.family("lmtrain_emissions_grams_total", "counter", "CO2e of the electricity, gross.");
  metrics.sample(report.cost.emissions.grams, {{"method", "location"}});
  if (run.account.market_grams) metrics.sample(*run.account.market_grams, {{"method", "market"}});
  metrics.family("lmtrain_embodied_emissions_grams_total", "counter",
                 "CO2e of making the hardware, the run's share.");
  metrics.sample(run.account.embodied_grams());
  metrics.family("lmtrain_tokens_total", "counter", "Tokens trained on, each once.");
  metrics.sample(static_cast<double>(run.facts.tokens));
  metrics.family("lmtrain_flops_total", "counter", "Floating-point operations for those tokens.");
  metrics.sample(run.facts.flops);
  metrics.family("lmtrain_run_seconds_total", "counter", "Time of all attempts.");
  metrics.sample(report.seconds);
  metrics.family("lmtrain_attempts_total", "counter", "Attempts of the run.");
  metrics.sample(static_cast<double>(report.attempts.size()));
  metrics.family("lmtrain_run_finished", "gauge", "Whether the run is finished.");
  metrics.sample(run.facts.finished ? 1 : 0);
  return metrics.text();
}

}  // namespace lmtrain

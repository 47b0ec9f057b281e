#include "energy/report/account.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "energy/accelerators.h"

namespace lmtrain {
namespace {

constexpr double kSecondsOfDay = 86400.0;
constexpr double kDaysOfYear = 365.25;

// Luccioni, Viguier and Ligozat, Estimating the carbon footprint of BLOOM (2022), takes 2,500 kg
// for a server of the kind that has accelerators, and 150 kg for an accelerator without a published
// figure.
constexpr double kKgOfGpuServer = 2500;
constexpr double kKgOfGpu = 150;
constexpr const char* kBloom = "assumed as in Luccioni et al. 2022, arXiv:2211.02001";
// Dell, life cycle assessment of the PowerEdge R740 (2019): 4,313 kg of making, 3,373 of it SSDs.
constexpr double kKgOfServer = 940;
constexpr const char* kServer = "server";
constexpr const char* kDell = "assumed as a Dell PowerEdge R740 without its SSDs, Dell 2019";

bool is_gpu(const SensorTotals& sensor) { return sensor.info.kind == DeviceKind::kGpu; }

// "NVIDIA H100 80GB HBM3" of a sensor's label such as "NVIDIA H100 80GB HBM3 (GPU 0)".
std::string device_of(const std::string& label) { return label.substr(0, label.find(" (")); }

// An attempt on one host.
struct HostUse {
  double seconds = 0;
  std::map<std::string, int64_t> gpus;  // by name
  std::string processors;               // label of the first
};

double share_of_node(const EmissionsReport& report, int64_t attempt, const std::string& host) {
  for (const SharedNode& node : report.shared_nodes) {
    if (node.attempt == attempt && node.host == host) return node.share.cpu;
  }
  return 1.0;
}

// By attempt and host.
std::map<std::pair<int64_t, std::string>, HostUse> host_uses(const EmissionsReport& report) {
  std::map<std::pair<int64_t, std::string>, HostUse> uses;
  for (const EnergyTotals& totals : report.totals) {
    HostUse& use = uses[{totals.start.attempt, totals.start.place.host}];
    use.seconds = std::max(use.seconds, totals.seconds);
    for (const SensorTotals& sensor : totals.sensors) {
      if (is_gpu(sensor)) ++use.gpus[device_of(sensor.info.label)];
      if (sensor.info.kind == DeviceKind::kCpu && use.processors.empty())
        use.processors = sensor.info.label;
    }
  }
  return uses;
}

EmbodiedPart& part_named(std::vector<EmbodiedPart>& parts, const std::string& what) {
  for (EmbodiedPart& part : parts) {
    if (part.what == what) return part;
  }
  return parts.emplace_back(EmbodiedPart{.what = what});
}

}  // namespace

PriceError error_of(const EnergyPrice& price) {
  const double pue_low = price.is_pue_assumed ? 1 : std::max(1 / price.pue, 1 - kSetPueError);
  const double pue_high = price.is_pue_assumed ? kSurveyedPue / price.pue : 1 + kSetPueError;
  const double grid = price.grid.year == 0 ? kSetGridError : kYearlyGridError;
  return {pue_low * (1 - grid), pue_high * (1 + grid)};
}

namespace {

EmissionsRange with_price_errors(const EmissionsReport& report, const EmissionsRange& by_meters,
                                 EnergyPrice AttemptEnergy::*price) {
  PriceError error;
  for (const AttemptEnergy& attempt : report.attempts) {
    const PriceError of_attempt = error_of(attempt.*price);
    error.low = std::min(error.low, of_attempt.low);
    error.high = std::max(error.high, of_attempt.high);
  }
  return {by_meters.grams, by_meters.low * error.low, by_meters.high * error.high};
}

}  // namespace

std::string source_of_pue(const EmissionsReport& report, const ReportConfig& people) {
  if (!people.pue_source.empty()) return people.pue_source;
  std::vector<std::string> sources;
  for (const AttemptEnergy& attempt : report.attempts) {
    const std::string& source = attempt.price.pue_source;
    if (source.empty()) return "";
    if (std::ranges::find(sources, source) == sources.end()) sources.push_back(source);
  }
  return join(sources, ", then ");
}

EmissionsRange location_based(const EmissionsReport& report) {
  return with_price_errors(report, report.cost.emissions, &AttemptEnergy::price);
}

EmissionsRange location_based_before(const EmissionsReport& report) {
  return with_price_errors(report, report.original_cost->emissions, &AttemptEnergy::original_price);
}

EmbodiedPart embodied_part(Hardware kind, const std::string& what, int64_t count,
                           double device_days, const ReportConfig& people) {
  EmbodiedPart part{.what = what, .count = count, .device_days = device_days};
  part.is_server = kind != Hardware::kAccelerator;
  const std::optional<double>& set =
      part.is_server ? people.server_embodied_kg_co2e : people.device_embodied_kg_co2e;
  const Accelerator* const known = part.is_server ? nullptr : find_accelerator(what);
  if (set) {
    part.kg_each = *set;
    part.source = cat("report.", part.is_server ? "server" : "device", "_embodied_kg_co2e");
  } else if (known != nullptr && known->embodied_kg_co2e > 0) {
    part.kg_each = known->embodied_kg_co2e;
    part.source = known->source;
  } else {
    part.is_assumed = true;
    part.kg_each = kind == Hardware::kAccelerator ? kKgOfGpu
                   : kind == Hardware::kServer    ? kKgOfServer
                                                  : kKgOfGpuServer;
    part.source = kind == Hardware::kServer ? kDell : kBloom;
  }
  part.grams = 1000 * part.kg_each * part.device_days / (people.lifetime_years * kDaysOfYear);
  return part;
}

double Account::embodied_grams() const {
  double sum = 0;
  for (const EmbodiedPart& part : embodied) sum += part.grams;
  return sum;
}

std::string processor_of(const std::string& label) {
  constexpr std::string_view kBefore = "processors, modelled (";
  if (!label.starts_with(kBefore)) return label;
  const std::string inner = label.substr(kBefore.size(), label.size() - kBefore.size() - 1);
  return inner.substr(0, inner.find(','));
}

Account account_of(const EmissionsReport& report, const ReportConfig& people) {
  Account account;
  account.location = location_based(report);
  const double facility_kwh = kwh(report.cost.facility.joules);
  if (people.market_g_per_kwh) {
    account.market_grams = facility_kwh * *people.market_g_per_kwh;
    account.market_how = cat(
        "by contracts, ", shortest(*people.market_g_per_kwh), " gCO2e/kWh: ",
        people.market_source.empty() ? "not given (report.market_source)" : people.market_source);
  }
  account.offsets_grams = 1000 * people.offsets_kg_co2e;
  account.captured_grams = 1000 * people.captured_kg_co2e;
  if (people.water_l_per_kwh)
    account.water_litres = kwh(report.energy.joules) * *people.water_l_per_kwh;
  account.lifetime_years = people.lifetime_years;
  account.wall_days = report.seconds / kSecondsOfDay;

  std::vector<EmbodiedPart> servers;
  std::vector<EmbodiedPart> devices;
  std::map<int64_t, std::map<std::string, int64_t>> counts;  // by attempt and name
  std::string processors;
  double node_days = 0;
  for (const auto& [key, use] : host_uses(report)) {
    const auto& [attempt, host] = key;
    const double days = use.seconds / kSecondsOfDay;
    node_days += days;
    const std::string server = use.gpus.empty() ? kServer : "server for accelerators";
    part_named(servers, server).device_days += days * share_of_node(report, attempt, host);
    ++counts[attempt][server];
    for (const auto& [name, count] : use.gpus) {
      part_named(devices, name).device_days += days * static_cast<double>(count);
      counts[attempt][name] += count;
    }
    if (processors.empty()) processors = use.processors;
  }
  for (const auto& [attempt, names] : counts) {
    for (const auto& [name, count] : names) {
      EmbodiedPart& part = part_named(name.starts_with("server") ? servers : devices, name);
      part.count = std::max(part.count, count);
    }
  }
  account.has_gpus = !devices.empty();
  for (const EmbodiedPart& part : devices) {
    account.device_days += part.device_days;
    account.num_devices += part.count;
    account.devices += (account.devices.empty() ? "" : ", ") + part.what;
  }
  if (devices.empty()) {
    account.device_days = node_days;
    for (const EmbodiedPart& part : servers) account.num_devices += part.count;
    account.devices = processors.empty() ? "processors not known" : processor_of(processors);
  }
  const auto add = [&](Hardware kind, const EmbodiedPart& part) {
    account.embodied.push_back(
        embodied_part(kind, part.what, part.count, part.device_days, people));
  };
  for (const EmbodiedPart& part : servers)
    add(part.what == kServer ? Hardware::kServer : Hardware::kServerForAccelerators, part);
  for (const EmbodiedPart& part : devices) add(Hardware::kAccelerator, part);
  return account;
}

}  // namespace lmtrain

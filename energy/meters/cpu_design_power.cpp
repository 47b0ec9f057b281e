#include <algorithm>
#include <cctype>
#include <regex>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/system_file.h"
#include "base/text.h"
#include "energy/meters/power_model.h"
#include "energy/meters/processor_table.h"

namespace lmtrain {
namespace {

// Under full load a processor draws 0.7 of its design power to all of it. That of a model of a
// known family is about the family's; that of an unknown processor lies between 2 W per thread
// (servers with many cores) and 8 W per thread (desktops). No processor of today has more than
// kMostWatts.
constexpr double kWattsPerThread = 4.0;
constexpr double kKnownLow = 0.7;
constexpr double kFamilyLow = 0.5;
constexpr double kUnknownLow = 0.5;
constexpr double kFamilyHigh = 1.6;
constexpr double kUnknownHigh = 2.0;
constexpr double kMostWatts = 500.0;

struct CpuInfo {
  std::string model;
  int threads = 0;
  std::set<std::string> sockets;
  std::set<std::pair<std::string, std::string>> cores;
  bool virtual_machine = false;
};

CpuInfo read_cpu_info(const std::filesystem::path& procfs) {
  CpuInfo info;
  std::istringstream lines(read_system_text(procfs / "cpuinfo").text.value_or(""));
  std::string line;
  std::string socket;
  while (std::getline(lines, line)) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const std::string key = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
    const std::string value = colon + 2 <= line.size() ? line.substr(colon + 2) : "";
    if (key == "processor") ++info.threads;
    if (key == "model name") info.model = value;
    if (key == "physical id") info.sockets.insert(socket = value);
    if (key == "core id") info.cores.insert({socket, value});
    if (key == "flags") info.virtual_machine = value.find(" hypervisor") != std::string::npos;
  }
  return info;
}

bool is_of_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '-';
}

// Whether `model` contains `name` as a whole word; both in lower case. The P of an EPYC for one
// socket is ignored. "E5-2670 v3" is another processor than the E5-2670.
bool names(std::string_view model, std::string_view name) {
  const size_t at = model.find(name);
  if (at == std::string_view::npos || (at > 0 && is_of_word(model[at - 1]))) return false;
  std::string_view rest = model.substr(at + name.size());
  if (name.starts_with("epyc") && rest.starts_with("p")) rest.remove_prefix(1);
  if (!rest.empty() && is_of_word(rest.front())) return false;
  const bool is_version =
      rest.size() >= 3 && rest.starts_with(" v") && rest[2] >= '0' && rest[2] <= '9';
  return !is_version;
}

// The longest name in the table that `model` contains, or null.
const KnownProcessor* find_processor(const std::string& model) {
  const std::string wanted = in_lower_case(model);
  const KnownProcessor* best = nullptr;
  for (const KnownProcessor& known : known_processors()) {
    const bool is_longer = best == nullptr || known.name.size() > best->name.size();
    if (is_longer && names(wanted, in_lower_case(known.name))) best = &known;
  }
  return best;
}

const ProcessorFamily* find_family(const std::string& model) {
  for (const ProcessorFamily& family : processor_families()) {
    if (std::regex_search(model, std::regex(family.pattern, std::regex::icase))) return &family;
  }
  return nullptr;
}

// The share of `sockets` such processors that this system sees. A virtual machine sees only some of
// the threads; with SMT off, a core with one thread counts as a whole core.
double share_seen(const CpuInfo& info, const KnownProcessor& known, double sockets) {
  const double by_threads = info.threads / (sockets * known.threads);
  const double by_cores = static_cast<double>(info.cores.size()) / (sockets * known.cores);
  return std::min(1.0, info.virtual_machine ? by_threads : std::max(by_threads, by_cores));
}

// The cores that this system sees. Each thread of a virtual machine may look like a core of its
// own.
double cores_seen(const CpuInfo& info, const ProcessorFamily& family) {
  const double by_threads = static_cast<double>(info.threads) / family.threads_per_core;
  const auto by_cores = static_cast<double>(info.cores.size());
  return info.virtual_machine || by_cores == 0.0 ? by_threads : by_cores;
}

// No processor draws as much for a thread.
constexpr double kMostWattsPerThread = 25.0;

std::string doubt_of(double watts, int threads) {
  if (watts <= kMostWattsPerThread * threads) return "";
  return cat("energy.cpu_tdp_watts = ", shortest(watts), " is ", fixed(watts / threads, 0),
             " W for each of the ", counted(threads, "thread"),
             " that this system sees; give the part that is this system's: design power x threads "
             "here / threads of the processor");
}

}  // namespace

CpuDesignPower cpu_design_power(const std::filesystem::path& procfs, const EnergyConfig& config) {
  const CpuInfo info = read_cpu_info(procfs);
  if (config.cpu_tdp_watts > 0.0) {
    const double watts = config.cpu_tdp_watts;
    const std::string source = info.model.empty() ? "" : info.model + ", ";
    return {watts, kKnownLow * watts, watts, source + "energy.cpu_tdp_watts",
            doubt_of(watts, std::max(1, info.threads))};
  }
  const double sockets = static_cast<double>(std::max<size_t>(1, info.sockets.size()));
  if (const KnownProcessor* known = find_processor(info.model)) {
    const double watts = sockets * known->watts * share_seen(info, *known, sockets);
    return {watts, kKnownLow * watts, watts,
            cat(known->name, ", ", known->watts, " W for ", known->threads, " threads")};
  }
  if (const ProcessorFamily* family = find_family(info.model)) {
    const double most = sockets * family->max_watts;
    const double watts = std::min(most, family->watts_per_core * cores_seen(info, *family));
    return {watts, kFamilyLow * watts, std::min(most, kFamilyHigh * watts),
            cat(info.model, ", taken as its family: ", shortest(family->watts_per_core),
                " W per core, at most ", shortest(family->max_watts), " W")};
  }
  const double most = sockets * kMostWatts;
  const double watts = std::min(most, kWattsPerThread * std::max(1, info.threads));
  return {watts, kUnknownLow * watts, std::min(most, kUnknownHigh * watts),
          cat(shortest(kWattsPerThread), " W per thread, because the processor model is unknown")};
}

}  // namespace lmtrain

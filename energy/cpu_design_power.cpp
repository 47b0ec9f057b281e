#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "energy/power_model.h"
#include "energy/system_file.h"

namespace lmtrain {
namespace {

struct KnownProcessor {
  std::string_view name;  // a whole word of "model name" in /proc/cpuinfo
  double watts;
  int cores;
  int threads;
};

// Thermal design power as given by the makers' data sheets.
constexpr KnownProcessor kProcessors[] = {
    {"Platinum 8592", 350, 64, 128},
    {"Platinum 8480", 350, 56, 112},
    {"Platinum 8470", 350, 52, 104},
    {"Platinum 8468", 350, 48, 96},
    {"Platinum 8380", 270, 40, 80},
    {"Platinum 8375C", 300, 32, 64},
    {"Platinum 8358", 250, 32, 64},
    {"Platinum 8280", 205, 28, 56},
    {"Platinum 8268", 205, 24, 48},
    {"Platinum 8259CL", 210, 24, 48},
    {"Platinum 8175M", 240, 24, 48},
    {"Platinum 8168", 205, 24, 48},
    {"Gold 6338", 205, 32, 64},
    {"Gold 6330", 205, 28, 56},
    {"Gold 6248R", 205, 24, 48},
    {"Gold 6248", 150, 20, 40},
    {"Gold 6240", 150, 18, 36},
    {"Gold 6230", 125, 20, 40},
    {"Gold 6148", 150, 20, 40},
    {"Gold 6130", 125, 16, 32},
    {"Gold 5218", 125, 16, 32},
    {"E5-2699 v4", 145, 22, 44},
    {"E5-2690 v4", 135, 14, 28},
    {"E5-2686 v4", 145, 18, 36},
    {"E5-2680 v4", 120, 14, 28},
    {"E5-2650 v4", 105, 12, 24},
    {"E5-2690 v3", 135, 12, 24},
    {"E5-2680 v3", 120, 12, 24},
    {"EPYC 9965", 500, 192, 384},
    {"EPYC 9755", 500, 128, 256},
    {"EPYC 9754", 360, 128, 256},
    {"EPYC 9684X", 400, 96, 192},
    {"EPYC 9654", 360, 96, 192},
    {"EPYC 9554", 360, 64, 128},
    {"EPYC 9454", 290, 48, 96},
    {"EPYC 9354", 280, 32, 64},
    {"EPYC 7H12", 280, 64, 128},
    {"EPYC 7763", 280, 64, 128},
    {"EPYC 7742", 225, 64, 128},
    {"EPYC 7713", 225, 64, 128},
    {"EPYC 7702", 200, 64, 128},
    {"EPYC 7662", 225, 64, 128},
    {"EPYC 7543", 225, 32, 64},
    {"EPYC 7513", 200, 32, 64},
    {"EPYC 7502", 180, 32, 64},
    {"EPYC 7452", 155, 32, 64},
    {"EPYC 7443", 200, 24, 48},
    {"EPYC 7402", 180, 24, 48},
    {"EPYC 7302", 155, 16, 32},
    {"EPYC 7601", 180, 32, 64},
    {"EPYC 7551", 180, 32, 64},
    {"Threadripper PRO 7995WX", 350, 96, 192},
    {"Threadripper PRO 5995WX", 280, 64, 128},
    {"Threadripper 3990X", 280, 64, 128},
    {"Threadripper 3970X", 280, 32, 64},
    {"Ryzen 9 9950X", 170, 16, 32},
    {"Ryzen 9 7950X", 170, 16, 32},
    {"Ryzen 9 7900X", 170, 12, 24},
    {"Ryzen 9 5950X", 105, 16, 32},
    {"Ryzen 9 5900X", 105, 12, 24},
    {"Ryzen 9 3900X", 105, 12, 24},
    {"Ryzen 7 7700X", 105, 8, 16},
    {"Ryzen 7 5800X", 105, 8, 16},
    {"Ryzen 5 5600X", 65, 6, 12},
    {"i9-14900K", 125, 24, 32},
    {"i9-13900K", 125, 24, 32},
    {"i7-13700K", 125, 16, 24},
    {"i9-12900K", 125, 16, 24},
    {"i7-12700K", 125, 12, 20},
    {"i9-10900K", 125, 10, 20},
    {"i7-10700K", 125, 8, 16},
    {"i9-9900K", 95, 8, 16},
    {"i7-9700K", 95, 8, 8},
    {"i7-8700K", 95, 6, 12},
};

constexpr double kWattsPerThread = 4.0;
// Under full load a processor draws 0.7 to 1.1 of its design power. The design power of an unknown
// processor lies between 2 W per thread (servers with many cores) and 8 W per thread (desktops).
constexpr double kKnownLow = 0.7;
constexpr double kKnownHigh = 1.1;
constexpr double kUnknownLow = 0.5;
constexpr double kUnknownHigh = 2.0;

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

// Whether `model` contains `name` as a whole word. The P of an EPYC for one socket is ignored.
bool names(std::string_view model, std::string_view name) {
  const size_t at = model.find(name);
  if (at == std::string_view::npos) return false;
  std::string_view rest = model.substr(at + name.size());
  if (name.starts_with("EPYC") && rest.starts_with("P")) rest.remove_prefix(1);
  return rest.empty() || std::isalnum(static_cast<unsigned char>(rest.front())) == 0;
}

// The share of `sockets` such processors that this system sees. A virtual machine sees only some of
// the threads; with SMT off, a core with one thread counts as a whole core.
double share_seen(const CpuInfo& info, const KnownProcessor& known, double sockets) {
  const double by_threads = info.threads / (sockets * known.threads);
  const double by_cores = static_cast<double>(info.cores.size()) / (sockets * known.cores);
  return std::min(1.0, info.virtual_machine ? by_threads : std::max(by_threads, by_cores));
}

}  // namespace

CpuDesignPower cpu_design_power(const std::filesystem::path& procfs, const EnergyConfig& config) {
  if (config.cpu_tdp_watts > 0.0) {
    const double watts = config.cpu_tdp_watts;
    return {watts, kKnownLow * watts, kKnownHigh * watts, "energy.cpu_tdp_watts"};
  }
  const CpuInfo info = read_cpu_info(procfs);
  for (const KnownProcessor& known : kProcessors) {
    if (!names(info.model, known.name)) continue;
    const double sockets = static_cast<double>(std::max<size_t>(1, info.sockets.size()));
    const double watts = sockets * known.watts * share_seen(info, known, sockets);
    return {watts, kKnownLow * watts, kKnownHigh * watts,
            cat(known.name, ", ", known.watts, " W for ", known.threads, " threads")};
  }
  const double watts = kWattsPerThread * std::max(1, info.threads);
  return {watts, kUnknownLow * watts, kUnknownHigh * watts,
          cat(shortest(kWattsPerThread), " W per thread, because the processor model is unknown")};
}

}  // namespace lmtrain

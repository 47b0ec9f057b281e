// RAPL, the energy counters of Intel and AMD processors, through Linux's powercap
// (Documentation/power/powercap; David et al., "RAPL: memory power estimation and capping", 2010).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "energy/meters/meter.h"

namespace lmtrain {

enum class RaplRole {
  kPackage,    // counted
  kDram,       // counted, because it is beside its package and not in it
  kPart,       // core and uncore, which are in their package
  kPlatform,   // psys, which contains the packages
  kDuplicate,  // shows the counter of another zone again
};

struct RaplZone {
  std::filesystem::path folder;
  std::string key;  // "rapl:package-0", "rapl:package-0/dram"
  RaplRole role;
  uint64_t range_microjoules;   // 0 when unknown
  std::string why_unreadable;   // "" when its counter can be read; else says how to grant access
  double stand_in_watts = 0.0;  // MeterInfo

  bool counted() const { return role == RaplRole::kPackage || role == RaplRole::kDram; }
};

// Every zone under SYSFS/class/powercap. A zone that shows again what another one does is a
// duplicate: of a second interface (MMIO), and of the dies of a package and zones of one name those
// whose counter is the same. Zones of one name with counters of their own are all counted.
std::vector<RaplZone> find_rapl_zones(const std::filesystem::path& sysfs);

// A meter of a zone that is counted.
std::unique_ptr<Meter> make_rapl_meter(const RaplZone& zone);

}  // namespace lmtrain

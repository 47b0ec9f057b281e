// The model for what no sensor shows. It takes the energy of processors from their load and thermal
// design power, and that of memory from its size. Every reading has an interval, which
// docs/energy.md explains.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "energy/energy_config.h"
#include "energy/meters/meter.h"

namespace lmtrain {

// Thermal design power of all processors that this node shows.
struct CpuDesignPower {
  double watts;
  double low;   // under full load the processors draw at least this
  double high;  // and at most this
  // "AMD EPYC 7543, energy.cpu_tdp_watts", "EPYC 7543, 225 W for 64 threads" or "4 W per thread,
  // because ..."
  std::string source;
  std::string doubt = "";  // what is wrong with a configured power; "" for nothing
};
CpuDesignPower cpu_design_power(const std::filesystem::path& procfs, const EnergyConfig& config);

// Energy of the processors in `seconds` at a load between 0 and 1. The power is that of CodeCarbon
// (codecarbon.io): TDP x (0.1 + 0.9 load^3). The low end of the interval is the same curve with
// `design.low`, the high end is the line 0.3 + 0.7 load with `design.high`.
Reading cpu_power_reading(const CpuDesignPower& design, double load, double seconds);

// Meters that read PROCFS/stat and PROCFS/meminfo. Readings are missing when these cannot be read.
std::unique_ptr<Meter> make_cpu_model_meter(const std::filesystem::path& procfs,
                                            const EnergyConfig& config);
// Memory draws 0.3725 W per GB of 10^9 bytes (Lannelongue et al., "Green Algorithms", 2021). The
// low end is 5 W for a module of 64 GB, the high end 5 W for one of 8 GB.
std::unique_ptr<Meter> make_memory_model_meter(const std::filesystem::path& procfs);

double memory_watts(const std::filesystem::path& procfs);

// What the config adds for each node, for what no sensor shows (allowances.cpp).
double allowance_watts(const EnergyConfig& config);

// The bytes of memory of the node; 0 when PROCFS/meminfo cannot be read.
int64_t node_memory_bytes(const std::filesystem::path& procfs);

}  // namespace lmtrain

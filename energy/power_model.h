// The stated model for what no sensor shows: processors from their load and thermal design power,
// memory from its size. Every figure carries an interval; docs/energy.md explains them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "energy/energy_config.h"
#include "energy/meter.h"

namespace lmtrain {

// Thermal design power of all processors that this node shows.
struct CpuDesignPower {
  double watts;
  double low;  // what the processors draw under full load lies between these
  double high;
  std::string
      source;  // "energy.cpu_tdp_watts", "AMD EPYC 7543: 225 W for 64 threads", "4 W per thread"
};
CpuDesignPower cpu_design_power(const std::filesystem::path& procfs, const EnergyConfig& config);

// Power of the processors at a load between 0 and 1: TDP x (0.1 + 0.9 load^3), the formula and the
// 4 W per thread being those of CodeCarbon (codecarbon.io). The interval widens with what is
// unknown: the cubic with the low end of the design power, and 0.3 + 0.7 load with its high end.
Reading cpu_power_reading(const CpuDesignPower& design, double load, double seconds);

// Meters from PROCFS/stat and PROCFS/meminfo. They report missing where these cannot be read.
std::unique_ptr<Meter> make_cpu_model_meter(const std::filesystem::path& procfs,
                                            const EnergyConfig& config);
// 0.3725 W per GB of 10^9 bytes (Lannelongue et al., "Green Algorithms", 2021), between the 5 W of
// a module of 64 GB and that of one of 8 GB.
std::unique_ptr<Meter> make_memory_model_meter(const std::filesystem::path& procfs);

// Bytes of memory of the node, 0 when PROCFS/meminfo cannot be read.
int64_t node_memory_bytes(const std::filesystem::path& procfs);

}  // namespace lmtrain

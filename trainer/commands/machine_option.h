// --machine of the commands that reckon for a machine: this node's cores, or a known accelerator.
#pragma once

#include <cstdint>
#include <string>

#include "parallel/precision.h"
#include "trainer/commands/command.h"
#include "trainer/config/config.h"
#include "trainer/planning/machine_spec.h"

namespace lmtrain {

inline constexpr const char* kThisNode = "cpu";

void add_machine_option(CLI::App* app, std::string& machine);
Synonyms machine_words();
Synonyms ranks_words();

// What auto stands for there. Every known machine has GPUs, which are faster in bf16.
Precision resolved_precision(const std::string& machine, Precision precision);
// Of this node measures what its cores reach in the config's precision, which is not auto.
MachineSpec machine_of(const std::string& machine, const Config& config, int64_t num_ranks);

}  // namespace lmtrain

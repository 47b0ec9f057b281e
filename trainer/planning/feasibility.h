// Whether a run can work at all, asked before anything but the token cache is written. Every error
// names the place, the values and what to do; exit 64, or 65 for missing or too little data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/machine_memory.h"
#include "trainer/config/load_config.h"
#include "trainer/planning/memory_estimate.h"

namespace lmtrain {

// What needs the config, the number of ranks and a look at the file system: sizes that divide,
// lengths that fit, a valid name, sources and tokenizer there, an output folder that can be
// written, a known grid. Logs schedule_notes.
void check_before_data(const LoadedConfig& loaded, int num_ranks);

// Settings that work but are hardly meant, such as a warm-up longer than the run.
std::vector<std::string> schedule_notes(const Config& config);

// What the rest needs to know of data and machine.
struct MachineFacts {
  int64_t tokenizer_vocab_size = 0;
  int64_t num_training_samples = 0;  // windows of data.sequence_length in the training split
  int num_ranks = 1;
  int ranks_on_node = 1;
  int64_t free_disk_bytes = 0;
  AvailableMemory memory;                      // of the node, for all its ranks
  std::optional<int64_t> device_memory_bytes;  // of a rank's GPU; none: ranks compute on the CPU
};

// A vocabulary that holds the tokenizer's, a global batch of text, disk for two checkpoints,
// memory.
void check_facts(const LoadedConfig& loaded, const MachineFacts& facts);

// check_facts with what this machine has now. `resolved` is the config with its vocabulary known.
void check_before_training(const LoadedConfig& loaded, const Config& resolved,
                           int64_t tokenizer_vocab_size, int64_t num_training_samples,
                           int num_ranks, int ranks_on_node,
                           std::optional<int64_t> device_memory_bytes = std::nullopt);

}  // namespace lmtrain

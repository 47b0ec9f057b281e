// Checks that a run can work at all, before anything except the token cache is written. Every error
// names the place in the config, the values and what to do. ConfigError, or DataError where data is
// missing or too short.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/machine_memory.h"
#include "trainer/config/load_config.h"
#include "trainer/planning/memory_estimate.h"

namespace lmtrain {

// The checks that need only the config, the number of ranks and a look at the file system: sizes
// divide, lengths fit, the name is valid, sources and tokenizer exist, the output folder can be
// written, the electricity grid is known. Logs schedule_notes. Only the rank that prepares the text
// needs sources and tokenizer; the others read the cache.
void check_before_data(const LoadedConfig& loaded, int num_ranks, bool prepares_text = true);

// Of these, what concerns energy: the grid is known, and budgets and pauses have what they need.
void check_energy(const LoadedConfig& loaded);

// Notes on settings that work but are probably a mistake, such as a warm-up longer than the run.
std::vector<std::string> schedule_notes(const Config& config);

// What the other checks need to know about the data and the machine.
struct MachineFacts {
  int64_t tokenizer_vocab_size = 0;
  int64_t num_training_samples = 0;  // windows of data.sequence_length in the training split
  int num_ranks = 1;
  int ranks_on_node = 1;
  int64_t free_disk_bytes = 0;
  AvailableMemory memory;                      // of the node, for all its ranks
  std::optional<int64_t> device_memory_bytes;  // of a rank's GPU; none: ranks compute on the CPU
};

// Checks that the vocabulary holds the tokenizer's, that there is text for a global batch, disk
// space for two checkpoints, and memory.
void check_facts(const LoadedConfig& loaded, const MachineFacts& facts);

// check_facts for this machine as it is now. `resolved` is the config with its vocabulary known.
void check_before_training(const LoadedConfig& loaded, const Config& resolved,
                           int64_t tokenizer_vocab_size, int64_t num_training_samples,
                           int num_ranks, int ranks_on_node,
                           std::optional<int64_t> device_memory_bytes = std::nullopt);

}  // namespace lmtrain

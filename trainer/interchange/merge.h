// Checkpoints beside one another: the mean of their weights, and what differs between two.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/config_value.h"

namespace lmtrain {

// Writes the mean of the weights of checkpoints of one model (Wortsman et al., "Model soups", 2022;
// of one, a copy without the optimizer's state) as a checkpoint of step 0 in OUT/step-00000000.
// Sums are in fp64. Throws ConfigError for other models or tokenizers than the first one's, or
// where OUT is not empty; CheckpointError; IoError.
void merge_checkpoints(const std::vector<std::filesystem::path>& checkpoints,
                       const std::filesystem::path& out);

struct TensorDifference {
  std::string name;  // "weights/blocks.0.attention.qkv.weight"
  // Nothing where one of the two lacks the tensor, or has it in another shape, which `problem`
  // says.
  std::optional<double> largest;   // of the elements' absolute differences
  std::optional<double> relative;  // the norm of the difference over that of the first tensor
  std::string problem;
};

struct CheckpointDifference {
  std::vector<ConfigChange> config;
  std::vector<std::string> state;         // "step: 100 and 200"
  std::vector<TensorDifference> tensors;  // those that are not equal to the bit
  size_t num_equal = 0;                   // tensors
};

// Throws CheckpointError.
CheckpointDifference compare_checkpoints(const std::filesystem::path& first,
                                         const std::filesystem::path& second);

}  // namespace lmtrain

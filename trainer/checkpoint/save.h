// Writes checkpoints (the form of their folder and the commit protocol: checkpoint.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "base/error.h"
#include "base/pace.h"
#include "parallel/communicator.h"
#include "parallel/parameter_store.h"
#include "trainer/checkpoint/checkpoint.h"

namespace lmtrain {

// Returns the rank of [0, num_ranks) that writes each tensor: about as many elements each. The
// tensors are those of the store's units, in order; of a unit those of each stored buffer, in
// order.
std::vector<int> owners_of_tensors(const ParameterStore& store, int num_ranks);

// Collective. Calls its argument with buffer, name and logical tensor, which stays as it is while
// it is held and keeps little other memory alive, for each tensor that this rank writes. What it
// throws at its end counts as an error of this rank alone, so it must have done its part of every
// collective operation before.
using TensorVisit =
    std::function<void(const std::string& buffer, const std::string& name, const at::Tensor&)>;
using TensorSource = std::function<void(const TensorVisit& visit)>;

// The weights and state of the store, which must stay as they are until the save has ended.
// `tensor` is the axis over which the model's tensors are split.
TensorSource tensors_of(const ParameterStore& store, Communicator& tensor, Communicator& world);

struct SaveOptions {
  // Of a file's tensors, or one larger tensor. This bounds the memory of a save.
  int64_t file_bytes = kCheckpointFileBytes;
  Pace* pace = nullptr;  // of the thread that saves; null: it never rests
  // Called on rank 0 before the checkpoint counts; what it throws abandons the save. May be empty.
  std::function<void()> before_commit;
  // Files of this rank, not of the checkpoint, that must be on disk before it counts.
  std::vector<std::filesystem::path> records;
  // Called for each tensor that this rank writes; what it throws abandons the save.
  TensorVisit check;
};

struct SaveResult {
  // Nothing or, on every rank, why the save was abandoned (disk full, ...); the earlier checkpoints
  // are untouched then.
  std::optional<Error> error;
  int64_t bytes = 0;  // of all files, on rank 0
};

// Collective over `world`. Saves the tensors of `source` into `checkpoints`/step-NNNNNNNN. Every
// tensor is stored whole, whatever the layout.
SaveResult save_tensors(const std::filesystem::path& checkpoints, const TensorSource& source,
                        const CheckpointState& state, const std::string& tokenizer_json,
                        const SaveOptions& options, Communicator& world);

// The same of a store as it is now, all at once. Returns "" or, on every rank, why the save was
// abandoned.
std::string save_checkpoint(const std::filesystem::path& checkpoints, const ParameterStore& store,
                            Communicator& tensor, const CheckpointState& state,
                            const std::string& tokenizer_json, Communicator& world);

}  // namespace lmtrain

// The saves of a run: it refuses to save non-finite weights, handles failed saves
// and removes old checkpoints.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "parallel/launch.h"
#include "parallel/parameter_store.h"
#include "trainer/checkpoint/checkpoint.h"

namespace lmtrain {

class CheckpointSaver {
 public:
  // Removes old checkpoints after each save.
  CheckpointSaver(std::filesystem::path checkpoints, const Retention& retention, Launch& launch)
      : checkpoints_(std::move(checkpoints)), retention_(retention), launch_(launch) {}

  // Tells the saver that a checkpoint is known to verify.
  void add_verified(const std::filesystem::path& checkpoint) { known_.verified.insert(checkpoint); }

  // Collective, as save_checkpoint is. Returns whether the checkpoint was saved; after a failure
  // the run goes on until the next save. Throws CollectiveError when a save fails that `must`
  // succeed, when too many saves in a row fail, and when weights are non-finite.
  bool save(const ParameterStore& store, Communicator& tensor, const CheckpointState& state,
            const std::string& tokenizer_json, bool must);

 private:
  std::filesystem::path checkpoints_;
  Retention retention_;
  Launch& launch_;
  KnownCheckpoints known_;  // used on rank 0 only
  int num_failed_ = 0;      // failed saves in a row
};

}  // namespace lmtrain

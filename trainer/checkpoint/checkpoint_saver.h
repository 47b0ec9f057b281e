// The saves of a run: what may be saved, what a save that fails leads to, which older ones go.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>

#include "parallel/launch.h"
#include "parallel/parameter_store.h"
#include "trainer/checkpoint/checkpoint.h"

namespace lmtrain {

class CheckpointSaver {
 public:
  // Keeps the newest `keep` checkpoints of the folder that verify.
  CheckpointSaver(std::filesystem::path checkpoints, int64_t keep, Launch& launch)
      : checkpoints_(std::move(checkpoints)), keep_(keep), launch_(launch) {}

  // One that is known to verify.
  void add_verified(const std::filesystem::path& checkpoint) { verified_.insert(checkpoint); }

  // Collective, as save_checkpoint. Returns whether it was saved: one that fails is tried again at
  // the next save. Throws CollectiveError where it must not fail or has failed too often in a row,
  // and where weights are not finite.
  bool save(const ParameterStore& store, Communicator& tensor, const CheckpointState& state,
            const std::string& tokenizer_json, bool must);

 private:
  std::filesystem::path checkpoints_;
  int64_t keep_;
  Launch& launch_;
  std::set<std::filesystem::path> verified_;  // rank 0
  int num_failed_ = 0;                        // in a row
};

}  // namespace lmtrain

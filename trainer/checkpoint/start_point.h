// Where a run begins: at step 0, or at a checkpoint that fits it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "parallel/launch.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/config/config.h"
#include "trainer/config/run_folder.h"

namespace lmtrain {

struct StartPoint {
  std::filesystem::path checkpoint;  // empty: from nothing
  Manifest manifest;
  std::vector<std::filesystem::path> own_checkpoints;  // of the run's folder; on rank 0
  int64_t step() const { return checkpoint.empty() ? 0 : manifest.state.step; }
};

// As run.resume says: the newest checkpoint of the run's own folder; where there is none, PATH's.
// Throws ConfigError where that would not be what run.resume asks for, CheckpointError.
StartPoint find_start_point(const Config& config, const RunFolder& folder);

// Collective: rank 0's start point, on every rank. Throws CollectiveError.
StartPoint find_start_point_together(const Config& config, const RunFolder& folder, Launch& launch);

// Refuses a checkpoint of another tokenizer, other data, or a config whose fixed keys differ.
// Returns what makes the continuation differ in its last bits (ranks, threads, LibTorch,
// instruction set), a line each.
std::vector<std::string> check_start_point(const StartPoint& start, const Config& config,
                                           const CheckpointState& now);

}  // namespace lmtrain

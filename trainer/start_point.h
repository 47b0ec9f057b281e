// Where a run begins: at step 0, or at a checkpoint that fits it.
#pragma once

#include <filesystem>
#include <optional>

#include "trainer/checkpoint.h"
#include "trainer/config.h"
#include "trainer/run_folder.h"

namespace lmtrain {

struct StartPoint {
  std::filesystem::path checkpoint;  // empty: from nothing
  Manifest manifest;
  int64_t step() const { return checkpoint.empty() ? 0 : manifest.state.step; }
};

// As run.resume says; a checkpoint of the run's own folder goes before a PATH. Throws ConfigError,
// CheckpointError.
StartPoint find_start_point(const Config& config, const RunFolder& folder);

// Refuses a checkpoint of another tokenizer, other data, or a config whose fixed keys differ; warns
// of what makes the continuation differ in its last bits (ranks, threads, LibTorch, instruction
// set).
void check_start_point(const StartPoint& start, const Config& config, const CheckpointState& now);

}  // namespace lmtrain

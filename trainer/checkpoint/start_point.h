// Where a run begins: at step 0, or at a checkpoint that fits it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "parallel/launch.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/config/config.h"
#include "trainer/config/run_folder.h"

namespace lmtrain {

struct StartPoint {
  std::filesystem::path checkpoint;  // empty: the run begins at step 0 without a checkpoint
  Manifest manifest;
  // Whether it is the last phase's checkpoint (run.continue_from), with whose weights and optimizer
  // the run begins at its own step 0.
  bool is_of_last_phase = false;
  int64_t step() const { return checkpoint.empty() || is_of_last_phase ? 0 : manifest.state.step; }
  // Whether the checkpoint is one of the run's own.
  bool is_own(const RunFolder& folder) const {
    return checkpoint.parent_path() == folder.checkpoints();
  }
};

// Throws ConfigError where run.resume = never and the folder is there. To be asked before this job
// makes the folder.
void check_may_begin_in(const Config& config, const RunFolder& folder);

// Finds the start point that the config asks for: the newest checkpoint of the run's own folder or,
// if it has none, the checkpoint of run.resume = PATH or of run.continue_from. Throws ConfigError
// when run.resume does not allow that start point, and CheckpointError.
StartPoint find_start_point(const Config& config, const RunFolder& folder);

// The precision that find_start_point's checkpoint was trained in, by the newest manifest that can
// be read and without a check of its files. Nothing where the run begins without a checkpoint.
std::optional<Precision> precision_of_start(const Config& config, const RunFolder& folder);

// Collective. Returns rank 0's start point on every rank. Throws CollectiveError.
StartPoint find_start_point_together(const Config& config, const RunFolder& folder, Launch& launch);

// Whether the run takes the weights alone from its start point (resume.mode = weights). One of its
// own checkpoints that was saved in this mode has an optimizer that has begun anew, and keeps it.
bool takes_weights_alone(const StartPoint& start, const Config& config);

// Throws ConfigError where train.steps is less than the steps that are done, or where it leaves
// none to do after another run's checkpoint.
void check_steps(const StartPoint& start, const Config& config, const RunFolder& folder);

// Throws for a checkpoint with another tokenizer, other data, or a config whose fixed keys differ.
// Returns one line for each change that alters the last bits of the continued training (ranks,
// threads, LibTorch, instruction set) or makes a learning rate that had begun to fall rise again.
std::vector<std::string> check_start_point(const StartPoint& start, const Config& config,
                                           const CheckpointState& now);

}  // namespace lmtrain

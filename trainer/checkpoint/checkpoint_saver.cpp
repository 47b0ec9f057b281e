#include "trainer/checkpoint/checkpoint_saver.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "trainer/step/gradient_norm.h"

namespace lmtrain {
namespace {

constexpr int kMostFailed = 3;

}  // namespace

bool CheckpointSaver::save(const ParameterStore& store, Communicator& tensor,
                           const CheckpointState& state, const std::string& tokenizer_json,
                           bool must) {
  if (launch_.any(!weights_are_finite(store))) {
    throw CollectiveError(ExitCode::kNumeric,
                          cat("weights are not finite after step ", state.step,
                              ", so they are not saved. Lower optimizer.lr; the same command "
                              "continues from the last checkpoint"));
  }
  const std::string error =
      save_checkpoint(checkpoints_, store, tensor, state, tokenizer_json, launch_.world());
  if (!error.empty()) {
    ++num_failed_;
    if (launch_.rank() == 0)
      log_warn(cat("the save at step ", state.step, " was abandoned: ", error));
    if (must || num_failed_ >= kMostFailed) {
      throw CollectiveError(ExitCode::kIo,
                            cat("no checkpoint could be saved at step ", state.step, ": ", error));
    }
    return false;
  }
  num_failed_ = 0;
  if (launch_.rank() == 0) {
    const std::filesystem::path saved = checkpoint_path(checkpoints_, state.step);
    known_.verified.insert(saved);
    known_.validation_losses[saved] = state.validation_loss;
    try {
      remove_old_checkpoints(checkpoints_, retention_, known_);
    } catch (const IoError& failure) {
      log_warn(cat("older checkpoints stay: ", failure.what()));
    }
  }
  return true;
}

}  // namespace lmtrain

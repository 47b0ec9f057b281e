// Checkpoints. All ranks write one folder per step; it is a checkpoint once its manifest is there.
//
//   RUN/checkpoints/step-00000100/
//     rank-00000-0.h5 ...   unpadded tensors under stable names; one rank writes each tensor
//     tokenizer.json
//     manifest.json         written last: its own XXH3, files, their sizes and XXH3, tensors, state
//                           of the run
//
// Commit protocol: every file is built in memory, written, read back, fsynced and renamed; then all
// ranks vote, and rank 0 writes the manifest. A resume takes the newest folder whose manifest and
// files verify. No file points to the newest checkpoint, so no pointer can be out of date. Only
// folders of exactly this form of name count, or are ever removed: what else lies there, links to
// folders among it, is the user's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "data/tokenizer/tokenizer.h"
#include "models/huggingface/companions.h"
#include "parallel/communicator.h"
#include "parallel/parameter_store.h"
#include "parallel/precision.h"
#include "trainer/step/step_guard.h"

namespace lmtrain {

// How many bytes of tensors a file holds at most, unless the config says otherwise, or one larger
// tensor.
inline constexpr int64_t kCheckpointFileBytes = int64_t{128} << 20;

// What the last bits of a rank's results depend on, besides the build.
struct RankCompute {
  int64_t threads = 1;
  int64_t cores = 1;           // that the rank is bound to
  std::string cpu_capability;  // models/cpu_capability.h
  std::string device;          // as RankDevice::description; "" in earlier checkpoints

  bool operator==(const RankCompute&) const = default;
};

// The state of a run besides its tensors. Random numbers need no state: they are functions of seed
// and step.
struct CheckpointState {
  int64_t step = 0;  // updates done; the data cursor follows from it
  // How far the schedule of the learning rate has come; none: as far as `step`
  // (trainer/run/budget.h).
  std::optional<double> schedule_step;
  std::string config;          // the resolved config as YAML
  std::string tokenizer_hash;  // 16 hexadecimal digits
  std::string data_fingerprint;
  int64_t num_tokens = 0;  // size of the vocabulary without padding
  // The token that the model's texts begin with, -1: none; null in checkpoints that say nothing of
  // it, whose training data had end tokens behind the documents.
  std::optional<int32_t> start_token;
  Precision precision = Precision::kFp32;
  std::string weights_type = "F32";  // the safetensors type in which an export is written
  int64_t num_ranks = 1;
  Companions companions;           // of the folder of transformers that the model came from
  std::vector<RankCompute> ranks;  // one in checkpoints that know of rank 0 alone, none in imports
  std::string build;               // compiler and LibTorch
  std::string commit;
  // Totals of the run so far over all attempts and ranks; the tokens of each step count once.
  int64_t tokens = 0;
  double seconds = 0;
  double joules = 0;
  GuardState guard;  // trainer/step/step_guard.h
  // The step at which the optimizer's state was last made anew; below 0 where a phase before has
  // made updates with it (run.continue_from).
  int64_t optimizer_began = 0;
  std::optional<double> validation_loss;  // nats, where the run validated at this step
  // The same by eval.measure, where that is another one.
  std::string measure = "loss";
  std::optional<double> measured;
};

struct Manifest {
  struct File {
    std::string name;
    int64_t bytes = 0;
    std::string xxh3;
  };
  struct StoredTensor {
    std::string group;  // "weights", or the name of an optimizer state buffer, such as "exp_avg"
    std::string name;
    std::vector<int64_t> shape;
    std::string file;
  };
  CheckpointState state;
  std::vector<File> files;
  std::vector<StoredTensor> tensors;
};

// The token that the checkpoint's texts begin with, -1: none. Training records the one that its
// token files have, an import the one that the tokenizer itself puts in front. For a checkpoint
// that records none it is the tokenizer's beginning token, else its end token.
int32_t start_token_of(const CheckpointState& state, const Tokenizer& tokenizer);

// The tokens any of which ends a text of the model: those that its folder of transformers names,
// and after training also the one that stood between documents; else the tokenizer's end token.
// Throws DataError.
std::vector<int32_t> end_tokens_of(const CheckpointState& state, const Tokenizer& tokenizer);

// Returns the folder of a step's checkpoint.
std::filesystem::path checkpoint_path(const std::filesystem::path& checkpoints, int64_t step);

// Reads and checks a manifest, but not the files that it lists. Manifests of format 3 have no
// checksum of their own. Throws CheckpointError.
Manifest read_manifest(const std::filesystem::path& checkpoint);
// Checks the sizes and checksums of all files. Throws CheckpointError naming the file, what was
// expected and what was found.
void verify_files(const std::filesystem::path& checkpoint, const Manifest& manifest);
// Reads all tensors. Throws CheckpointError naming one whose values are not all finite: training
// from it would end at the first step.
void verify_values(const std::filesystem::path& checkpoint, const Manifest& manifest);

// Returns the step folders that have a manifest, newest first. Throws IoError, with the system's
// reason, where a folder cannot be looked into: what cannot be listed is not empty.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& checkpoints);

// What a checkpoint must pass to be chosen: verify_files, or verify_values as well.
enum class CheckpointCheck { kFiles, kFilesAndValues };
// Returns the newest checkpoint that passes, and logs a warning for each newer one that does not.
// Returns an empty path when there are no checkpoints. Throws CheckpointError when there are some
// and none passes.
std::filesystem::path newest_checkpoint(const std::filesystem::path& checkpoints,
                                        CheckpointCheck check);
// Reads a checkpoint's manifest and checks all that a resume does. Throws CheckpointError.
Manifest verify_checkpoint(const std::filesystem::path& checkpoint, CheckpointCheck check);
// For a roll-back that does not depend on when the run was stopped: the newest checkpoint that
// passes of those steps that `interval` divides. Newer ones, which requests to stop have left, are
// removed. Empty, and nothing removed, where there is none.
std::filesystem::path roll_back_to_interval(const std::filesystem::path& checkpoints,
                                            int64_t interval);
// Resolves the path that a user gave: a checkpoint's folder, or a run's folder, which stands for
// its newest checkpoint.
std::filesystem::path resolve_checkpoint(const std::filesystem::path& path,
                                         CheckpointCheck check = CheckpointCheck::kFiles);

// Reads this rank's part of the weights, and of the optimizer state if `with_optimizer`, for any
// layout. The store must be allocated; the caller must call its refresh_compute() afterwards.
// Throws CheckpointError.
void load_tensors(const std::filesystem::path& checkpoint, const Manifest& manifest,
                  ParameterStore& store, bool with_optimizer);

// Returns all weights by name, on the CPU, in the stored type. Throws CheckpointError.
std::map<std::string, at::Tensor> read_weights(const std::filesystem::path& checkpoint,
                                               const Manifest& manifest);

// Returns one of the tensors that the manifest lists, on the CPU, in the stored type. Throws
// CheckpointError.
at::Tensor read_tensor(const std::filesystem::path& checkpoint, const Manifest& manifest,
                       const Manifest::StoredTensor& stored);

// Removes step folders without a manifest, which killed saves have left. One rank calls it, while
// no save is running.
void remove_unfinished_checkpoints(const std::filesystem::path& checkpoints);

// What a checkpoint's validation came to by this measure; nothing where there was none.
std::optional<double> validation_of(const CheckpointState& state, const std::string& measure);

// Which checkpoints stay when a new one has been saved.
struct Retention {
  int64_t newest = 3;            // so many that verify
  int64_t every = 0;             // those of steps that this divides; 0: none
  int64_t best = 0;              // so many with the best validations, the newer of two equal ones
  std::string measure = "loss";  // by which they are the best (eval.measure)
};

// What one rank has found out about checkpoints, so that each is read only once.
struct KnownCheckpoints {
  std::set<std::filesystem::path> verified;
  std::map<std::filesystem::path, std::optional<double>> validations;  // by Retention::measure
};

// Removes every checkpoint older than the newest that verify, but for those that stay for their
// step or their validation. The function adds to `known`. One rank calls it.
void remove_old_checkpoints(const std::filesystem::path& checkpoints, const Retention& retention,
                            KnownCheckpoints& known);

}  // namespace lmtrain

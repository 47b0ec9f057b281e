// Checkpoints: a folder per step, written by all ranks, that counts once its manifest is there.
//
//   RUN/checkpoints/step-00000100/
//     rank-00000-0.h5 ...   tensors under stable names, unpadded; each is written by one rank
//     tokenizer.json
//     manifest.json         written last: files, their sizes and XXH3, tensors, state of the run
//
// Commit protocol: every file is built in memory, written and read back, fsynced and renamed; all
// ranks vote; rank 0 writes the manifest. The newest folder whose manifest and files verify wins;
// there is no pointer to go stale.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "parallel/communicator.h"
#include "parallel/parameter_store.h"
#include "parallel/precision.h"

namespace lmtrain {

// A file holds at most so many bytes of tensors, or one larger tensor, which bounds the memory of a
// save: a file exists as often as this, in HDF5's own memory, as an image, and read back.
inline constexpr int64_t kCheckpointFileBytes = int64_t{128} << 20;
inline constexpr int64_t kCheckpointFileCopies = 3;

// The state of a run besides tensors. Everything random is a function of seed and step.
struct CheckpointState {
  int64_t step = 0;            // updates done; the data cursor follows from it
  std::string config;          // resolved, YAML
  std::string tokenizer_hash;  // 16 hexadecimal digits
  std::string data_fingerprint;
  int64_t num_tokens = 0;  // logical rows of the vocabulary
  Precision precision = Precision::kFp32;
  std::string weights_type = "F32";  // in which an export is written: a safetensors type
  int64_t num_ranks = 1;
  int64_t num_threads = 1;  // of each rank
  std::string build;        // compiler and LibTorch
  // See models/cpu_capability.h; other instruction sets give other bits.
  std::string cpu_capability;
  std::string commit;
  // What a run has taken so far, all attempts and ranks together, each step's tokens counted once.
  int64_t tokens = 0;
  double seconds = 0;
  double joules = 0;
};

struct Manifest {
  struct File {
    std::string name;
    int64_t bytes = 0;
    std::string xxh3;
  };
  struct StoredTensor {
    std::string group;  // "weights", or a state buffer of the optimizer, such as "exp_avg"
    std::string name;
    std::vector<int64_t> shape;
    std::string file;
  };
  CheckpointState state;
  std::vector<File> files;
  std::vector<StoredTensor> tensors;
};

// The folder of a step's checkpoint.
std::filesystem::path checkpoint_path(const std::filesystem::path& checkpoints, int64_t step);

// Saves into `checkpoints`/step-NNNNNNNN, the weights and the optimizer's state where there is any,
// each tensor whole whatever the layout. Collective; `tensor` is the axis that the model is cut
// over. Returns "" or, on every rank alike, why the save was abandoned (disk full, ...); the
// checkpoints before it are untouched then.
std::string save_checkpoint(const std::filesystem::path& checkpoints, const ParameterStore& store,
                            Communicator& tensor, const CheckpointState& state,
                            const std::string& tokenizer_json, Communicator& world);

// Reads and checks a manifest, without its files. Throws CheckpointError.
Manifest read_manifest(const std::filesystem::path& checkpoint);
// Sizes and checksums of all files. Throws CheckpointError naming the file, what was expected and
// found.
void verify_files(const std::filesystem::path& checkpoint, const Manifest& manifest);

// Step folders that have a manifest, newest first.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& checkpoints);
// The newest that verifies; each one passed over is reported as a warning. Empty when there is none
// at all. Throws CheckpointError when there are some and none verifies.
std::filesystem::path newest_checkpoint(const std::filesystem::path& checkpoints);
// PATH as the user names it: a checkpoint's folder, or a run's folder for its newest.
std::filesystem::path resolve_checkpoint(const std::filesystem::path& path);

// Fills this rank's part of weights, and of the state where `with_optimizer`, of any layout. Throws
// CheckpointError. The store is allocated; its refresh_compute() is to follow.
void load_tensors(const std::filesystem::path& checkpoint, const Manifest& manifest,
                  ParameterStore& store, bool with_optimizer);

// All weights under their names, on the CPU, in the stored type. Throws CheckpointError.
std::map<std::string, at::Tensor> read_weights(const std::filesystem::path& checkpoint,
                                               const Manifest& manifest);

// Removes step folders without a manifest: what a killed save left. One rank calls it, while no
// save is under way.
void remove_unfinished_checkpoints(const std::filesystem::path& checkpoints);
// Removes every checkpoint that `keep` newer ones make superfluous, which verify. `verified` are
// those known to, and is added to, so that each is read once. One rank calls it.
void remove_old_checkpoints(const std::filesystem::path& checkpoints, int64_t keep,
                            std::set<std::filesystem::path>& verified);

}  // namespace lmtrain

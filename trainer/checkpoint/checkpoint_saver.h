// The saves of a run. Training stands still for a copy into memory; a thread writes the checkpoint
// while training goes on. The saver refuses weights that are not finite, handles failed saves and
// removes old checkpoints.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "parallel/launch.h"
#include "parallel/mesh.h"
#include "parallel/parameter_store.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/checkpoint/save.h"
#include "trainer/checkpoint/snapshot.h"

namespace lmtrain {

// How long a save took, and whether it succeeded.
struct SaveTimes {
  int64_t step = 0;
  double copy_seconds = 0;     // of the copy; 0 where training stands still for the save
  double stall_seconds = 0;    // in which this rank did not train: copied, or waited
  double persist_seconds = 0;  // from the copy until the checkpoint counted
  double work_seconds = 0;     // of the copy and the writing, without rests: for one waited for
  int64_t bytes = 0;           // of all ranks, on rank 0
  std::optional<std::string> failure = std::nullopt;  // why it was abandoned
};

class CheckpointSaver {
 public:
  struct Options {
    Retention retention;
    int64_t file_bytes = kCheckpointFileBytes;
    bool is_asynchronous = true;
    // Of a core, that a saver may take from training while nobody waits for it. The same on all
    // ranks.
    double share_of_core = 1.0;
    int tensor_size = 1;
    std::string tokenizer_json;
    double timeout_seconds = 0;  // as Communicator::set_timeout
    // Called on rank 0 before a checkpoint counts; what it throws abandons the save. May be empty.
    std::function<void()> before_commit;
    // Files of this rank's records that must be on disk before a checkpoint counts.
    std::vector<std::filesystem::path> records;
  };
  // Collective. Where MPI does not let two threads communicate, training stands still for a save.
  CheckpointSaver(std::filesystem::path checkpoints, Options options, Launch& launch);
  // Waits for a save that is under way: all ranks end it together.
  ~CheckpointSaver();
  CheckpointSaver(const CheckpointSaver&) = delete;
  CheckpointSaver& operator=(const CheckpointSaver&) = delete;

  // Tells the saver that a checkpoint is known to verify.
  void add_verified(const std::filesystem::path& checkpoint) { known_.verified.insert(checkpoint); }

  // Collective, when no save is under way. Saves the store as it is now; `tensor` is the axis over
  // which the model's tensors are split.
  void start(const ParameterStore& store, Communicator& tensor, const CheckpointState& state);
  // Collective. Waits for the save that is under way, if there is one, and returns what came of it.
  // After a failed one, which is warned of, the run goes on until the next save. Throws
  // CollectiveError when a save fails that `must` succeed, when too many saves in a row fail, and
  // when weights are not finite.
  std::optional<SaveTimes> finish(bool must);
  // Whether there is a save for finish(), and whether that would not have to wait for this rank.
  bool is_saving() const { return saving_ != nullptr; }
  bool is_finished() const;

 private:
  struct Saving;  // the save that is under way

  void persist(Saving& saving, const TensorSource& source, Communicator& world) noexcept;
  void remove_old(const CheckpointState& state);

  const std::filesystem::path checkpoints_;
  const Options options_;
  Launch& launch_;
  // Groups of the saver's own, with a thread of their own; null where it has none.
  std::unique_ptr<Communicator> world_;
  std::unique_ptr<Mesh> mesh_;
  KnownCheckpoints known_;  // used on rank 0 only, and by one thread at a time
  int num_failed_ = 0;      // failed saves in a row
  std::unique_ptr<Saving> saving_;
};

}  // namespace lmtrain

#include "trainer/checkpoint/checkpoint_saver.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/log.h"
#include "base/phase.h"
#include "base/text.h"
#include "parallel/caching_allocator.h"
#include "parallel/compute.h"
#include "parallel/typed_gather.h"

namespace lmtrain {
namespace {

constexpr int kMostFailed = 3;

// A sum in fp64 is finite where all its fp32 terms are.
void require_finite(int64_t step, const std::string& buffer, const std::string& name,
                    const at::Tensor& tensor) {
  if (std::isfinite(tensor.sum(at::kDouble).item<double>())) return;
  throw Error(ExitCode::kNumeric,
              cat(buffer, " of ", name, " are not finite after step ", step,
                  ", so they are not saved. Lower optimizer.lr; the same command continues from "
                  "the last checkpoint"));
}

}  // namespace

struct CheckpointSaver::Saving {
  explicit Saving(double share_of_core) : pace(share_of_core) {}
  ~Saving() {
    pace.hurry();
    if (thread.joinable()) thread.join();
  }
  Saving(const Saving&) = delete;
  Saving& operator=(const Saving&) = delete;

  SaveTimes times;
  CheckpointState state;
  std::unique_ptr<StoreSnapshot> snapshot;  // null where training stood still
  Pace pace;
  SaveResult result;
  std::exception_ptr failure;  // of the groups: no rank can know of the others
  std::atomic<bool> is_finished = false;
  std::thread thread;
};

CheckpointSaver::CheckpointSaver(std::filesystem::path checkpoints, Options options, Launch& launch)
    : checkpoints_(std::move(checkpoints)), options_(std::move(options)), launch_(launch) {
  if (!options_.is_asynchronous) return;
  world_ = launch.make_world_beside("world of saves");
  if (world_) {
    // Ranks wait for each other's rests, too.
    world_->set_timeout(options_.timeout_seconds / options_.share_of_core);
    mesh_ = std::make_unique<Mesh>(*world_, *world_, options_.tensor_size);
  } else if (launch.rank() == 0) {
    log_info(
        "training stands still while a checkpoint is written, because this MPI lets only one "
        "thread communicate (MPI_THREAD_MULTIPLE)");
  }
}

CheckpointSaver::~CheckpointSaver() = default;

bool CheckpointSaver::is_finished() const { return saving_ && saving_->is_finished; }

void CheckpointSaver::start(const ParameterStore& store, Communicator& tensor,
                            const CheckpointState& state) {
  const double begin = monotonic_seconds();
  saving_ = std::make_unique<Saving>(world_ ? options_.share_of_core : 1.0);
  Saving& saving = *saving_;
  saving.times.step = state.step;
  saving.state = state;
  if (!world_) {
    release_cached_blocks();  // frees the cached memory of the step for the files
    persist(saving, tensors_of(store, tensor, launch_.world()), launch_.world());
    saving.times.stall_seconds = monotonic_seconds() - begin;
    return;
  }
  saving.snapshot = std::make_unique<StoreSnapshot>(store, owners_of_tensors(store, launch_.size()),
                                                    launch_.rank(), options_.tensor_size);
  saving.times.copy_seconds = monotonic_seconds() - begin;
  saving.times.stall_seconds = saving.times.work_seconds = saving.times.copy_seconds;
  saving.thread = std::thread([this, &saving] {
    // The threads of this rank belong to the training.
    compute_on_one_thread();
    persist(
        saving,
        [this, &saving](const TensorVisit& visit) {
          saving.snapshot->for_each(*mesh_, saving.pace, visit);
        },
        *world_);
  });
}

void CheckpointSaver::persist(Saving& saving, const TensorSource& source,
                              Communicator& world) noexcept {
  const double begin = monotonic_seconds();
  launch_.activity().set_saving(true);
  try {
    saving.pace.start();
    SaveOptions options;
    options.file_bytes = options_.file_bytes;
    options.pace = &saving.pace;
    options.records = options_.records;
    options.before_commit = options_.before_commit;
    options.check = [&](const std::string& buffer, const std::string& name,
                        const at::Tensor& logical) {
      require_finite(saving.state.step, buffer, name, logical);
    };
    saving.result =
        save_tensors(checkpoints_, source, saving.state, options_.tokenizer_json, options, world);
    saving.times.persist_seconds = monotonic_seconds() - begin;
    // Ranks wait for each other's rests.
    const std::vector<double> rests = gather_all(world, saving.pace.rested_seconds());
    saving.times.work_seconds +=
        saving.times.persist_seconds - *std::max_element(rests.begin(), rests.end());
    saving.times.bytes = saving.result.bytes;
    if (!saving.result.error && world.rank() == 0) remove_old(saving.state);
  } catch (...) {
    saving.failure = std::current_exception();
  }
  launch_.activity().set_saving(false);
  saving.is_finished = true;
}

void CheckpointSaver::remove_old(const CheckpointState& state) {
  const std::filesystem::path saved = checkpoint_path(checkpoints_, state.step);
  known_.verified.insert(saved);
  known_.validations[saved] = validation_of(state, options_.retention.measure);
  try {
    remove_old_checkpoints(checkpoints_, options_.retention, known_);
  } catch (const IoError& failure) {
    log_warn(cat("older checkpoints stay: ", failure.what()));
  }
}

std::optional<SaveTimes> CheckpointSaver::finish(bool must) {
  if (!saving_) return std::nullopt;
  const double begin = monotonic_seconds();
  saving_->pace.hurry();
  if (saving_->thread.joinable()) saving_->thread.join();
  const std::unique_ptr<Saving> saved = std::move(saving_);
  saved->times.stall_seconds += monotonic_seconds() - begin;
  if (saved->failure) std::rethrow_exception(saved->failure);
  const std::optional<Error>& error = saved->result.error;
  if (!error) {
    num_failed_ = 0;
    return saved->times;
  }
  if (error->code() == ExitCode::kNumeric || error->code() == ExitCode::kHeld)
    throw CollectiveError(error->code(), error->what());
  ++num_failed_;
  const int64_t step = saved->times.step;
  if (launch_.rank() == 0)
    log_warn(cat("the save at step ", step, " was abandoned: ", error->what()));
  if (must || num_failed_ >= kMostFailed) {
    throw CollectiveError(ExitCode::kIo,
                          cat("no checkpoint could be saved at step ", step, ": ", error->what()));
  }
  saved->times.failure = error->what();
  return saved->times;
}

}  // namespace lmtrain

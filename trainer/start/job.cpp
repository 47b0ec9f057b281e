#include "trainer/start/job.h"

#include <algorithm>

#include "trainer/planning/choose_layout.h"
#include "trainer/planning/feasibility.h"

namespace lmtrain {
namespace {

void resolve_vocabulary(Job& job) {
  const int64_t of_tokenizer = job.data.prepared.tokenizer.vocab_size();
  job.num_tokens = std::max(of_tokenizer, job.initial ? job.initial->num_tokens : 0);
  int64_t& rows = job.loaded.config.model.vocab_size;
  if (rows == 0) rows = job.num_tokens;
}

}  // namespace

std::optional<Job> start_job(const LoadedConfig& given, const JobChecks& checks, Launch& launch) {
  LoadedConfig loaded = given;
  const Config& config = loaded.config;
  std::optional<InitialModel> initial;
  launch.together([&] { initial = adopt_initial_model(loaded); });
  std::optional<Compute> compute;
  if (config.parallel.layout == LayoutMode::kAuto) {
    compute = set_up_compute(config.parallel, launch);
    choose_layout(loaded, *compute, launch);
  }
  launch.together([&] { check_before_data(loaded, launch.size()); });
  if (checks.has_work && !checks.has_work(loaded)) return std::nullopt;

  if (!compute) compute = set_up_compute(config.parallel, launch);
  RunData data = open_run_data(config, compute->num_threads * launch.local_size(), launch);
  Job job{std::move(loaded), std::move(initial), std::move(*compute), std::move(data)};
  launch.together([&] {
    resolve_vocabulary(job);
    check_before_training(job.loaded, job.config(), job.num_tokens, job.data.train->num_samples(),
                          launch.size(), launch.local_size(), job.compute.device.free_memory_bytes);
    if (checks.with_data) checks.with_data(job);
  });
  return job;
}

Mesh make_mesh(const ParallelConfig& config, Communicator* device_world, Launch& launch) {
  return Mesh(launch.world(), device_world != nullptr ? *device_world : launch.world(),
              static_cast<int>(config.tensor), config.check);
}

}  // namespace lmtrain

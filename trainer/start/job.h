// What training and verify begin with: from a config to a model's settings, a device and data, all
// of them checked.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/phase.h"
#include "parallel/compute.h"
#include "parallel/launch.h"
#include "parallel/mesh.h"
#include "parallel/precision.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/config/load_config.h"
#include "trainer/interchange/interchange.h"
#include "trainer/start/run_data.h"

namespace lmtrain {

struct Job {
  // Resolved: the model of model.init_from adopted, precision and layout chosen, the vocabulary
  // known.
  LoadedConfig loaded;
  std::optional<InitialModel> initial;  // where model.init_from is set
  Compute compute;
  Companions companions;           // of the model's folder of transformers, where there is one
  std::vector<RankCompute> ranks;  // of all ranks
  RunData data;
  int64_t num_tokens = 0;  // of the vocabulary, without padding

  const Config& config() const { return loaded.config; }
};

// What one kind of job checks besides.
struct JobChecks {
  // On rank 0: the precision of the checkpoint that the job goes on from, where there is one.
  std::function<std::optional<Precision>(const Config&)> precision_of_checkpoint;
  // Collective, once the config has been checked, before this rank takes a device and reads data:
  // whether there is anything to do. Without it there is.
  std::function<bool(const LoadedConfig&)> has_work;
  // Collective, once this rank has its device, before any data are read.
  std::function<void(const LoadedConfig&, const Compute&)> with_compute;
  // The last check, on every rank alike; an error on any rank ends the job on all.
  std::function<void(const Job&)> with_data;
};

// Collective. Nothing where `has_work` says so. Throws CollectiveError for what all ranks know of,
// and other exceptions for what only this rank does.
std::optional<Job> start_job(const LoadedConfig& given, const JobChecks& checks,
                             PhaseTracker& phases, Launch& launch);

// How long the job's ranks wait for each other, and when one of them counts as hung.
void watch(const ParallelConfig& config, Launch& launch);

// The groups of the job's ranks. `device_world` is null where tensors are on the CPU.
Mesh make_mesh(const ParallelConfig& config, Communicator* device_world, Launch& launch);

}  // namespace lmtrain

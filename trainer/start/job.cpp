#include "trainer/start/job.h"

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "models/cpu_capability.h"
#include "parallel/typed_gather.h"
#include "trainer/config/resolve_task.h"
#include "trainer/planning/choose_layout.h"
#include "trainer/planning/choose_precision.h"
#include "trainer/planning/feasibility.h"

namespace lmtrain {
namespace {

void resolve_vocabulary(Job& job) {
  const int64_t of_tokenizer = job.data.tokenizer.vocab_size();
  job.num_tokens = std::max(of_tokenizer, job.initial ? job.initial->num_tokens : 0);
  int64_t& rows = job.loaded.config.model.vocab_size;
  if (rows == 0) rows = job.num_tokens;
}

// Labels that no config names are those of the training texts.
void resolve_labels(Job& job) {
  if (job.data.labelled && has_label_names(job.config().task))
    job.loaded.config.model.labels = job.data.labelled->labels;
}

// What ends an answer ends a text.
void resolve_answer_end(Job& job) {
  if (job.data.answer_end) add_end_token(job.companions, *job.data.answer_end, job.num_tokens);
}

// Embeddings belong to the tokens for which they were learned.
void warn_of_other_tokens(const Job& job) {
  if (!job.initial || !has_tokenizer(job.initial->folder)) return;
  const Tokenizer& now = job.data.tokenizer;
  const Tokenizer then = Tokenizer::load(job.initial->folder);
  bool is_same = now.vocab_size() == then.vocab_size();
  for (int32_t id = 0; is_same && id < now.vocab_size(); ++id)
    is_same = now.token_text(id) == then.token_text(id);
  if (is_same) return;
  log_warn(cat("the embeddings of ", job.config().model.init_from,
               " were learned for the tokens of another tokenizer; leave the section tokenizer out "
               "to take the model's own"));
}

std::vector<RankCompute> compute_of_ranks(const Compute& compute, Launch& launch) {
  struct Counts {
    int64_t threads = 0;
    int64_t cores = 0;
  };
  const std::vector<Counts> counts = gather_all(
      launch.world(), Counts{compute.num_threads, static_cast<int64_t>(compute.cores.size())});
  const std::vector<std::string> capabilities = gather_texts(launch.world(), cpu_capability());
  const std::vector<std::string> devices = gather_texts(launch.world(), compute.device.description);
  std::vector<RankCompute> ranks;
  for (size_t i = 0; i < counts.size(); ++i)
    ranks.push_back({counts[i].threads, counts[i].cores, capabilities[i], devices[i]});
  return ranks;
}

}  // namespace

std::optional<Job> start_job(const LoadedConfig& given, const JobChecks& checks,
                             PhaseTracker& phases, Launch& launch) {
  LoadedConfig loaded = given;
  const Config& config = loaded.config;
  std::optional<InitialModel> initial;
  launch.together([&] { initial = adopt_initial_model(loaded); });
  std::optional<Compute> compute;
  if (config.train.precision == Precision::kAuto || config.parallel.layout == LayoutMode::kAuto) {
    compute = set_up_compute(config.parallel, launch);
    std::optional<Precision> of_checkpoint;
    launch.together([&] {
      if (checks.precision_of_checkpoint && launch.rank() == 0)
        of_checkpoint = checks.precision_of_checkpoint(config);
    });
    choose_precision(loaded.config, of_checkpoint, *compute, launch);
    choose_layout(loaded, *compute, launch);
  }
  launch.together([&] { check_before_data(loaded, launch.size(), launch.rank() == 0); });
  if (checks.has_work && !checks.has_work(loaded)) return std::nullopt;

  if (!compute) compute = set_up_compute(config.parallel, launch);
  if (checks.with_compute) checks.with_compute(loaded, *compute);
  Companions companions;
  launch.together([&] {
    companions = companions_of_run(config, initial ? initial->companions : Companions());
  });
  RunData data =
      open_run_data(config, companions, compute->num_threads * launch.local_size(), phases, launch);
  std::vector<RankCompute> ranks = compute_of_ranks(*compute, launch);
  Job job{std::move(loaded),     std::move(initial), std::move(*compute),
          std::move(companions), std::move(ranks),   std::move(data)};
  launch.together([&] {
    resolve_vocabulary(job);
    resolve_labels(job);
    resolve_answer_end(job);
    check_before_training(job.loaded, job.config(), job.num_tokens, job.data.train->num_samples(),
                          launch.size(), launch.local_size(), job.compute.device.free_memory_bytes);
    if (launch.rank() == 0) warn_of_other_tokens(job);
    if (checks.with_data) checks.with_data(job);
  });
  return job;
}

void watch(const ParallelConfig& config, Launch& launch) {
  launch.world().set_timeout(config.timeout_seconds);
  launch.watch({config.hang_seconds, config.timeout_seconds});
}

Mesh make_mesh(const ParallelConfig& config, Communicator* device_world, Launch& launch) {
  return Mesh(launch.world(), device_world != nullptr ? *device_world : launch.world(),
              static_cast<int>(config.tensor), config.check);
}

}  // namespace lmtrain

#include "trainer/start_point.h"

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "trainer/load_config.h"
#include "trainer/resume_compatibility.h"

namespace lmtrain {

StartPoint find_start_point(const Config& config, const RunFolder& folder) {
  StartPoint start;
  start.checkpoint = newest_checkpoint(folder.checkpoints());
  const std::string& resume = config.run.resume;
  if (resume == "never" && std::filesystem::exists(folder.path)) {
    throw ConfigError(cat("run.resume = never, but ", folder.path.string(),
                          " exists; choose another run.name, or run.resume=auto to continue it"));
  }
  if (start.checkpoint.empty() && resume != "auto" && resume != "never")
    start.checkpoint = resolve_checkpoint(resume);
  if (!start.checkpoint.empty()) start.manifest = read_manifest(start.checkpoint);
  return start;
}

void check_start_point(const StartPoint& start, const Config& config, const CheckpointState& now) {
  const CheckpointState& then = start.manifest.state;
  const std::string place = start.checkpoint.string();
  check_resume_compatibility(parse_config(then.config, place + "/manifest.json").config, config);
  if (then.tokenizer_hash != now.tokenizer_hash) {
    throw ConfigError(cat(place, " was trained with another tokenizer (", then.tokenizer_hash,
                          ", now ", now.tokenizer_hash,
                          "); name it with tokenizer.path or choose another run.name"));
  }
  if (then.data_fingerprint != now.data_fingerprint) {
    throw ConfigError(cat(place, " was trained on other data (fingerprint ", then.data_fingerprint,
                          ", now ", now.data_fingerprint,
                          "); restore the sources or choose another run.name"));
  }
  const auto report = [](const char* what, const auto& before, const auto& after) {
    if (before == after) return;
    log_warn(cat(what, ": ", before, " before, ", after,
                 " now; results will differ in their last bits"));
  };
  report("ranks", then.num_ranks, now.num_ranks);
  report("threads of a rank", then.num_threads, now.num_threads);
  report("LibTorch", then.torch_version, now.torch_version);
  report("instruction set", then.cpu_capability, now.cpu_capability);
}

}  // namespace lmtrain

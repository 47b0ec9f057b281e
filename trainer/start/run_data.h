// The data of a run: the prepared text, and loaders of training and validation samples.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/phase.h"
#include "data/loader.h"
#include "data/prepare.h"
#include "parallel/launch.h"
#include "trainer/config/config.h"

namespace lmtrain {

// The tokens of one source, which follow those of the source before it.
struct SourceTokens {
  std::string path;  // as in the config
  int64_t end = 0;   // one behind its last token
};

struct RunData {
  PreparedData prepared;
  std::unique_ptr<Loader> train;
  std::unique_ptr<Loader> validation;  // none when data.validation_fraction is 0
  int64_t num_validation_samples = 0;  // of one validation: at most eval.batches global batches
  std::vector<SourceTokens> validation_sources;
  // Two runs have the same one only if they train on the same tokens in the same proportions.
  uint64_t fingerprint = 0;
};

// Prepares the config's sources and shows the progress.
PreparedData prepare_and_show(const Config& config, int num_threads);

// Collective. Rank 0 prepares what the cache lacks, with `num_threads` threads, while the others
// wait; then all ranks open the same files. Throws CollectiveError where any rank fails.
RunData open_run_data(const Config& config, int num_threads, PhaseTracker& phases, Launch& launch);

// For a decoder: how many bytes of text the labels of the validation samples stand for.
int64_t count_validation_bytes(const RunData& data);

}  // namespace lmtrain

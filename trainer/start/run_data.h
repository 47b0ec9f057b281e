// The text of a run, ready to be read.
#pragma once

#include <memory>

#include "data/loader.h"
#include "data/prepare.h"
#include "parallel/launch.h"
#include "trainer/config/config.h"

namespace lmtrain {

struct RunData {
  PreparedData prepared;
  std::unique_ptr<Loader> train;
  std::unique_ptr<Loader> validation;  // none when data.validation_fraction is 0
  int64_t num_validation_samples = 0;  // scored at a time: at most eval.batches global batches
  // Equal only for training on the same tokens, in the same proportions.
  uint64_t fingerprint = 0;
};

// Prepares what the config's sources need and shows how far it is.
PreparedData prepare_and_show(const Config& config, int num_threads);

// Collective. Rank 0 prepares what the cache lacks, with `num_threads`, and the others wait; then
// all open the same files. Throws CollectiveError for what any rank cannot do.
RunData open_run_data(const Config& config, int num_threads, Launch& launch);

// Of a decoder: bytes of text that the validation samples' labels stand for.
int64_t count_validation_bytes(const RunData& data);

}  // namespace lmtrain

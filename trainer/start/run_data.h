// The data of a run: the prepared text or labelled texts, and loaders of training and validation
// samples.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/phase.h"
#include "data/labelled/prepare_labelled.h"
#include "data/loader.h"
#include "data/prepare.h"
#include "models/huggingface/companions.h"
#include "parallel/launch.h"
#include "trainer/config/config.h"

namespace lmtrain {

// The tokens of one source, which follow those of the source before it.
struct SourceTokens {
  std::string path;  // as in the config
  int64_t end = 0;   // one behind its last token
};

struct RunData {
  Tokenizer tokenizer;
  int32_t start_token = -1;  // that a text begins with; -1: none
  // Of instructions the special token that most answers end with; nothing where there is none.
  std::optional<int32_t> answer_end;
  bool was_in_cache = false;
  // One of the two: running text of language modeling, or labelled texts of any other task.
  std::optional<PreparedData> text;
  std::optional<PreparedExamples> labelled;
  std::unique_ptr<Loader> train;
  std::unique_ptr<Loader> validation;  // none when data.validation_fraction is 0
  int64_t num_validation_samples = 0;  // of one validation: at most eval.batches global batches
  std::vector<SourceTokens> validation_sources;
  // Two runs have the same one only if they train on the same tokens in the same proportions.
  uint64_t fingerprint = 0;

  int64_t num_training_tokens() const {
    return text ? text->train.num_tokens() : labelled->train.num_tokens();
  }
};

// The files of transformers that go with a run's model: `initial`, those of the model that it
// begins with; for instructions also the chat template that the config names, or else what the
// folder tokenizer.path says of chats. Throws IoError and DataError.
Companions companions_of_run(const Config& config, Companions initial);

// Prepare the config's sources and show the progress; the second for labelled texts.
PreparedData prepare_and_show(const Config& config, int num_threads);
PreparedExamples prepare_labelled_and_show(const Config& config, const Companions& companions,
                                           int num_threads);

// Collective. Rank 0 prepares what the cache lacks, with `num_threads` threads, while the others
// wait; then all ranks open the same files. Throws CollectiveError where any rank fails.
RunData open_run_data(const Config& config, const Companions& companions, int num_threads,
                      PhaseTracker& phases, Launch& launch);

// For a decoder: how many bytes of text the labels of the validation samples stand for.
int64_t count_validation_bytes(const RunData& data);

}  // namespace lmtrain

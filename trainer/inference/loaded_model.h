// Loads a trained model from a checkpoint, for generation and scoring in one process.
#pragma once

#include <memory>
#include <string>

#include "data/tokenizer/tokenizer.h"
#include "models/model.h"
#include "parallel/parameter_store.h"
#include "parallel/precision.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/config/config.h"

namespace lmtrain {

struct LoadedModel {
  std::filesystem::path checkpoint;
  Manifest manifest;
  Config config;
  Tokenizer tokenizer;
  int32_t start_token;              // what a text begins with, as start_token_of says
  std::vector<int32_t> end_tokens;  // any of which ends one, as end_tokens_of says
  std::unique_ptr<Communicator> alone;
  std::unique_ptr<ParameterStore> store;
  std::unique_ptr<Model> model;
};

// `path` is what resolve_checkpoint takes. The weights exist once, in the type of `precision`; auto
// is that of the training, also in bf16 on the CPU, so that scores equal those of training. Throws
// CheckpointError.
LoadedModel load_model(const std::string& path, Precision precision = Precision::kAuto);

}  // namespace lmtrain

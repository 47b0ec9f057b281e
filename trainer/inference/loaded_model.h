// Loads a trained model from a checkpoint, to be used by one process or by ranks that cut it.
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
  int32_t start_token;                  // what a text begins with, as start_token_of says
  std::vector<int32_t> end_tokens;      // any of which ends one, as end_tokens_of says
  std::unique_ptr<Communicator> alone;  // the group of a model that is not cut
  std::unique_ptr<ParameterStore> store;
  std::unique_ptr<Model> model;
  Communicator* ranks = nullptr;  // those that compute the model together; null for one alone
};

struct ModelOptions {
  // auto is that of the training, also in bf16 on the CPU, so that scores equal those of training.
  Precision precision = Precision::kAuto;
  bool int8 = false;  // hidden matrices in 8 bits (ParameterStore::keep_in_int8)
};

// `path` is what resolve_checkpoint takes. The weights exist once. `tensor` is the group of ranks
// over which the model is cut, all of which call this, and outlives the model; null: it is whole.
// Throws CheckpointError, and ConfigError where the model cannot be cut so.
LoadedModel load_model(const std::string& path, const ModelOptions& options = {},
                       Communicator* tensor = nullptr);

// Throws DataError where a result of a model has NaN or infinity.
void require_finite(const at::Tensor& result);

}  // namespace lmtrain

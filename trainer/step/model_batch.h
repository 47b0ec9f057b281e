// A batch as the model reads it: tensors on the device.
#pragma once

#include <ATen/core/Tensor.h>

#include "data/batch.h"
#include "models/model.h"

namespace lmtrain {

struct ModelBatch {
  ModelInput input;
  Targets targets;
};

struct ModelBatchOptions {
  // Tokens see their own document alone and its positions start at 0.
  bool isolate_documents = false;
  DropoutContext dropout;  // without its samples, which are taken from the batch
};

ModelBatch to_model_batch(const Batch& batch, const ModelConfig& model,
                          const ModelBatchOptions& options, at::Device device);

}  // namespace lmtrain

// Converts a batch into the tensors on the device that the model reads.
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
  // Tokens attend only to their own document, and the positions of each document start at 0.
  bool isolate_documents = false;
  DropoutContext dropout;  // its samples are set from the batch
};

ModelBatch to_model_batch(const Batch& batch, const ModelConfig& model,
                          const ModelBatchOptions& options, at::Device device);

}  // namespace lmtrain

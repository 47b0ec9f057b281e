// A batch as the model reads it: tensors on the device.
#pragma once

#include <ATen/core/Tensor.h>

#include "data/batch.h"
#include "models/decoder.h"

namespace lmtrain {

struct ModelBatch {
  DecoderInput input;
  at::Tensor labels;   // int64 [samples, positions]
  at::Tensor weights;  // fp32 [samples, positions]
};

// `dropout` without its samples, which are taken from the batch. With isolate_documents, tokens see
// their own document alone and its positions start at 0.
ModelBatch to_model_batch(const Batch& batch, DropoutContext dropout, bool isolate_documents,
                          at::Device device);

}  // namespace lmtrain

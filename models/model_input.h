// What a model reads of a micro-batch, and how it is made: in one place for training, validation,
// scoring and generation, so that all of them mask and count positions alike.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/attention_mask.h"
#include "models/dropout.h"
#include "models/model_config.h"

namespace lmtrain {

// On the model's device.
struct ModelInput {
  at::Tensor ids;        // int64 [samples, positions]
  at::Tensor positions;  // int64 [samples, positions], below max_positions
  at::Tensor segments;   // int64 [samples, positions], below num_segments; undefined without any
  AttentionMask mask;
  at::Tensor lengths;  // int64 [samples]: real tokens of each; for heads of labels
  DropoutContext dropout;
};

// Token ids and what is known of them, all on one device. Undefined tensors take the defaults.
struct TokenBatch {
  at::Tensor ids;           // int64 [samples, positions]
  at::Tensor lengths;       // any integers [samples]: tokens before the padding; default: all
  at::Tensor segments;      // int64 [samples, positions]; default: 0 where the model has segments
  at::Tensor document_ids;  // any integers [samples, positions], never falling along a sample
};

// Tokens see what the model's traits let them see, and, where `document_ids` are given, of their own
// document alone, whose positions count from 0. Without dropout.
ModelInput make_input(const ModelConfig& model, const TokenBatch& tokens);

}  // namespace lmtrain

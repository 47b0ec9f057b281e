// What a model reads of a micro-batch. It is made in one place for training, validation, scoring
// and generation, so that all of them mask and count positions alike.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/attention_mask.h"
#include "models/dropout.h"
#include "models/model_config.h"

namespace lmtrain {

// All tensors are on the model's device.
struct ModelInput {
  at::Tensor ids;        // int64 [samples, positions]
  at::Tensor positions;  // int64 [samples, positions], below max_positions
  at::Tensor segments;   // int64 [samples, positions], below num_segments; undefined without any
  AttentionMask mask;
  at::Tensor lengths;  // int64 [samples]: real tokens of each; for label heads
  DropoutContext dropout;
  // [samples, positions, hidden]: read in place of the ids' rows of the embedding, and may require
  // a gradient. Undefined where the ids are looked up.
  at::Tensor token_vectors;
  AttentionListener on_attention;  // where somebody asks what the blocks attend to
};

// Token ids and what is known about them, all on one device. An undefined tensor takes its default.
struct TokenBatch {
  at::Tensor ids;           // int64 [samples, positions]
  at::Tensor lengths;       // any integers [samples]: tokens before the padding; default: all
  at::Tensor segments;      // int64 [samples, positions]; default: 0 where the model has segments
  at::Tensor document_ids;  // any integers [samples, positions], never falling along a sample
};

// Makes the input of a model, without dropout. Tokens see what the model's traits let them see.
// Where `document_ids` are given, a token sees its own document alone, and positions begin anew in
// each document.
ModelInput make_input(const ModelConfig& model, const TokenBatch& tokens);

}  // namespace lmtrain

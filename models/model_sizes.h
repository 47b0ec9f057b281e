// Sizes of a model, counted from the parameters that it declares in a store without memory: what
// memory, checkpoints and FLOPs are computed from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/model_config.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// Elements of the matrices that forward multiplies by.
struct Products {
  int64_t per_token = 0;
  int64_t per_target = 0;  // a token that the language head predicts
  int64_t per_text = 0;
};

// Of a whole model, in whatever layout the store declares it. Padded rows of the vocabulary count:
// they are computed.
Products products_of(const ParameterStore& store);

struct ModelSizes {
  struct Unit {
    std::string name;
    int64_t numel = 0;  // of a rank's part of the tensor axis
  };
  std::vector<Unit> units;     // in the order of the store: embedding, blocks, head
  int64_t num_parameters = 0;  // of the whole model, whatever the layout
  int64_t largest_tensor = 0;  // elements of the largest of them
  Products products;

  // Of a rank's part of the tensor axis.
  int64_t numel_on_rank() const;
};

// `vocab_size`: rows of the embedding; `tensor`: ranks of the tensor axis, which divide the model.
ModelSizes sizes_of(ModelConfig config, int64_t vocab_size, int64_t tensor = 1);

// Floating-point operations of a forward pass, per token of sequences of `sequence_length` of whose
// tokens the share `target_share` is predicted: 1 in decoders. A multiply-add counts as two, and
// matrix products alone count (the convention of PaLM's model FLOPs utilisation; Chowdhery et al.,
// 2022). Exact for whole sequences: attention counts the keys that a query sees.
double forward_flops_per_token(const ModelConfig& config, const Products& products,
                               int64_t sequence_length, double target_share);

// Forward and backward: each product has two in backward.
inline double training_flops_per_token(const ModelConfig& config, const Products& products,
                                       int64_t sequence_length, double target_share) {
  return 3.0 * forward_flops_per_token(config, products, sequence_length, target_share);
}

}  // namespace lmtrain

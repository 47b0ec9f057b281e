// Sizes of a model, from which memory, checkpoints and FLOPs are computed. They are counted from
// the parameters that the model declares in a store without memory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/model_config.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// Returns a store without memory that has the parameters of a rank of this model. `vocab_size` is
// the number of rows of the embedding; `tensor` is the number of ranks of the tensor axis, which
// must divide the model. `change` says what is trained (ParameterStore::change_specs); without it
// all is.
std::unique_ptr<ParameterStore> declared_parameters(ModelConfig config, int64_t vocab_size,
                                                    int64_t tensor = 1,
                                                    const SpecChange& change = {});

// The logical shapes of a store's parameters by name.
std::map<std::string, std::vector<int64_t>> logical_shapes(const ParameterStore& store);

// Elements of the matrices by which forward multiplies.
struct Products {
  int64_t per_token = 0;
  int64_t per_target = 0;  // for each token that the language head predicts
  int64_t per_text = 0;
};

// The products of the whole model, whatever the layout of the store. Padded rows of the vocabulary
// count, because they are computed.
struct ModelProducts {
  Products forward;
  // Those with two more products in backward, for the gradients of their inputs and of themselves:
  // backward ends at the first unit that is trained, and frozen matrices have no gradient.
  Products to_inputs;
  Products to_weights;
  int64_t num_layers_in_backward = 0;  // blocks that backward runs through
};
ModelProducts products_of(const ParameterStore& store);

struct ModelSizes {
  struct Unit {
    std::string name;
    int64_t numel = 0;    // of one rank's part of the tensor axis
    int64_t trained = 0;  // of those
  };
  std::vector<Unit> units;     // in the order of the store: embedding, blocks, head
  int64_t num_parameters = 0;  // of the whole model, whatever the layout
  int64_t num_trained = 0;     // of those
  int64_t largest_tensor = 0;  // elements of the largest parameter
  ModelProducts products;

  // Returns the elements of one rank's part of the tensor axis, in all units.
  int64_t numel_on_rank() const;
  int64_t trained_on_rank() const;
};

ModelSizes sizes_of(const ParameterStore& declared);
// The same, of declared_parameters().
ModelSizes sizes_of(const ModelConfig& config, int64_t vocab_size, int64_t tensor = 1);

// Returns the floating-point operations of a forward pass, per token of sequences of
// `sequence_length` tokens. The share `target_share` of the tokens is predicted: 1 in decoders. A
// multiply-add counts as two operations, and only matrix products count (the convention of PaLM's
// model FLOPs utilisation; Chowdhery et al., 2022). The count is exact for whole sequences:
// attention counts the keys that a query sees.
double forward_flops_per_token(const ModelConfig& config, const Products& products,
                               int64_t sequence_length, double target_share);

// As above, for forward and backward: each product of forward has two in backward, but for what is
// frozen.
double training_flops_per_token(const ModelConfig& config, const ModelProducts& products,
                                int64_t sequence_length, double target_share);

}  // namespace lmtrain

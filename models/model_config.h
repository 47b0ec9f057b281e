// Config section `model`.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>

#include "base/config_fields.h"

namespace lmtrain {

struct ModelConfig {
  std::string kind = "gpt2";
  int64_t num_layers = 6;
  int64_t num_heads = 6;
  int64_t hidden_size = 384;
  int64_t max_positions = 256;
  int64_t vocab_size = 0;
  double dropout = 0.0;
  double layer_norm_eps = 1e-5;
  double init_std = 0.02;

  int64_t head_size() const { return hidden_size / num_heads; }
  int64_t feed_forward_size() const { return 4 * hidden_size; }
  // Of projections back onto the residual stream, two a block.
  double residual_init_std() const {
    return init_std / std::sqrt(2.0 * static_cast<double>(num_layers));
  }

  void describe(Fields& f) {
    f.choice("kind", kind, {"gpt2"},
             "Architecture: gpt2 (decoder, pre-LayerNorm, learned positions).");
    f.integer("num_layers", num_layers, {.min = 1, .max = 1000}, "Transformer blocks.");
    f.integer("num_heads", num_heads, {.min = 1, .max = 1024},
              "Attention heads; must divide hidden_size.");
    f.integer("hidden_size", hidden_size, {.min = 1, .max = 1 << 17},
              "Width of the residual stream.");
    f.integer("max_positions", max_positions, {.min = 2, .max = 1 << 20},
              "Learned positions; at least data.sequence_length.");
    f.integer(
        "vocab_size", vocab_size, {.min = 0, .max = 1 << 24},
        "Rows of the embedding; 0 takes the tokenizer's vocabulary, a larger number pads it.");
    f.real("dropout", dropout, {.min = 0.0, .max = 1.0, .max_excluded = true},
           "Probability of dropping an element of embeddings, attention and residual branches.");
    f.real("layer_norm_eps", layer_norm_eps, {.min = 0.0, .max = 1.0, .min_excluded = true},
           "Added to the variance in LayerNorm.");
    f.real("init_std", init_std, {.min = 0.0, .max = 10.0, .min_excluded = true},
           "Standard deviation of initial weights; residual projections use init_std / sqrt(2 "
           "num_layers).");
  }
};

}  // namespace lmtrain

// Floating-point operations of a model, counting a multiply-add as two and matrix products only
// (the convention of PaLM's model FLOPs utilisation; Chowdhery et al., 2022). Exact for whole
// sequences: query t of a decoder has t + 1 keys, of bert all.
#pragma once

#include <cstdint>

#include "models/model_config.h"

namespace lmtrain {

// Forward, per token of a sequence of `sequence_length`, of whose tokens the share `target_share`
// is predicted: 1 in decoders.
inline double forward_flops_per_token(const ModelConfig& config, int64_t sequence_length,
                                      double target_share) {
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto queries = static_cast<double>(config.num_heads * config.head_width());
  const auto keys = static_cast<double>(config.kv_heads() * config.head_width());
  const double feed_forward = (config.has_gated_feed_forward() ? 3.0 : 2.0) *
                              static_cast<double>(config.intermediate_size());
  const double projections = 2.0 * hidden * (2.0 * queries + 2.0 * keys + feed_forward);
  const auto length = static_cast<double>(sequence_length);
  const double seen = config.is_causal() ? (length + 1.0) / 2.0 : length;
  const double attention = 4.0 * queries * seen;
  const double transform = config.is_bert() ? hidden : 0.0;
  const double head = 2.0 * hidden * (static_cast<double>(config.vocab_size) + transform);
  return static_cast<double>(config.num_layers) * (projections + attention) + target_share * head;
}

// Forward and backward: each product has two in backward.
inline double training_flops_per_token(const ModelConfig& config, int64_t sequence_length,
                                       double target_share) {
  return 3.0 * forward_flops_per_token(config, sequence_length, target_share);
}

}  // namespace lmtrain

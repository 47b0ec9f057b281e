// Rotary positions (Su et al., "RoFormer", 2021). Features i and i + D/2 of a head of D features
// form a pair, which is rotated by the position times the pair's frequency. This is the half-split
// form of GPT-NeoX and Llama in transformers, not the interleaved one of Meta's files.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/model_config.h"

namespace lmtrain {

// Returns the radians per position of each pair, fp64 [head size / 2], stretched as the config
// says. llama3 is the rule of Llama 3.1, by parts of the wavelength.
at::Tensor rotary_frequencies(const RopeConfig& config, int64_t head_size);

// The cosine and sine of a micro-batch's angles, [samples, positions, head size / 2], fp32 or fp64.
struct RotaryTables {
  at::Tensor cosine;
  at::Tensor sine;
};

// positions: int64 [samples, positions]; `compute` is the type that the model computes with.
RotaryTables rotary_tables(const at::Tensor& frequencies, const at::Tensor& positions,
                           at::ScalarType compute);

// Rotates x, [samples, positions, .., head size]. The angles' type is used inside; the result has
// x's type.
at::Tensor rotate(const at::Tensor& x, const RotaryTables& tables);

}  // namespace lmtrain

// Masked language modelling (Devlin et al., "BERT", 2019): which tokens of a sequence must be
// predicted, and what replaces them.
#pragma once

#include <cstdint>
#include <span>

#include "base/philox.h"
#include "data/data_config.h"

namespace lmtrain {

// How masking treats a token: never a target, the first token of a word, or a later one.
enum class MaskRole : uint8_t { kNever, kWordStart, kWordRest };

struct MaskingRule {
  MaskingConfig config;
  int32_t mask_token = 0;
  int64_t num_tokens = 0;  // size of the vocabulary that random tokens are drawn from
};

// Chooses min(max_predictions, max(1, round(fraction * length))) targets, as Google's
// create_pretraining_data does: it takes words (or tokens) in a random order until there are
// enough, and skips a word that would exceed the number, so there may be fewer. A target's label
// becomes its token and its weight 1. Its id becomes the mask token with probability 80%, a random
// token of the vocabulary with 10%, and stays with 10%. All spans have the sequence's length;
// positions that are not targets are not changed.
void mask_tokens(const MaskingRule& rule, std::span<const MaskRole> roles, UniformStream& draws,
                 std::span<int64_t> ids, std::span<int64_t> labels, std::span<float> weights);

}  // namespace lmtrain

// Masked language modelling (Devlin et al., "BERT", 2019): which tokens of a sequence are to be
// predicted, and what stands in their place.
#pragma once

#include <cstdint>
#include <span>

#include "base/philox.h"
#include "data/data_config.h"

namespace lmtrain {

// What a token of a sequence is to masking.
enum class MaskRole : uint8_t { kNever, kWordStart, kWordRest };

struct MaskingRule {
  MaskingConfig config;
  int32_t mask_token = 0;
  int64_t num_tokens = 0;  // of the vocabulary that random tokens come from
};

// Chooses min(max_predictions, max(1, round(fraction * length))) targets, fewer when words do not
// fit in, as in Google's create_pretraining_data: words (or tokens) in a random order until there
// are enough. A target's label becomes its token and its weight 1; its id becomes the mask token
// with 80%, any token of the vocabulary with 10%, and stays with 10%. All spans have the sequence's
// length; what is no target is left alone.
void mask_tokens(const MaskingRule& rule, std::span<const MaskRole> roles, UniformStream& draws,
                 std::span<int64_t> ids, std::span<int64_t> labels, std::span<float> weights);

}  // namespace lmtrain

#include "models/model_input.h"

#include <ATen/ATen.h>

namespace lmtrain {
namespace {

// Padding comes behind a sample's tokens, so that tokens which see the past alone never see it.
AttentionMask mask_of(const ModelTraits& traits, const TokenBatch& tokens) {
  const int64_t samples = tokens.ids.size(0);
  const int64_t positions = tokens.ids.size(1);
  const bool sees_past_alone = traits.attention_span == AttentionSpan::kPast;
  if (tokens.document_ids.defined()) {
    return sees_past_alone ? causal_mask_within(tokens.document_ids)
                           : full_mask_within(tokens.document_ids);
  }
  if (sees_past_alone) return causal_mask(samples, positions, tokens.ids.device());
  const at::Tensor lengths =
      tokens.lengths.defined()
          ? tokens.lengths.to(at::kInt).clamp_min(1)
          : at::full({samples}, positions, tokens.ids.options().dtype(at::kInt));
  return full_mask(lengths, positions);
}

}  // namespace

ModelInput make_input(const ModelConfig& model, const TokenBatch& tokens) {
  const ModelTraits traits = model.traits();
  ModelInput input;
  input.ids = tokens.ids;
  input.positions =
      at::arange(tokens.ids.size(1), tokens.ids.options()).expand(tokens.ids.sizes()).contiguous();
  if (tokens.segments.defined()) {
    input.segments = tokens.segments;
  } else if (traits.num_segments > 0) {
    input.segments = at::zeros_like(tokens.ids);
  }
  input.mask = mask_of(traits, tokens);
  if (tokens.document_ids.defined()) input.positions -= input.mask.first;
  if (tokens.lengths.defined()) input.lengths = tokens.lengths.to(at::kLong);
  return input;
}

}  // namespace lmtrain

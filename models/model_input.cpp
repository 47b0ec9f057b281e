#include "models/model_input.h"

#include <ATen/ATen.h>

namespace lmtrain {
namespace {

// Padding comes after a sample's tokens, so that tokens which see only the past never see it.
AttentionMask past_mask(const ModelTraits& traits, const TokenBatch& tokens) {
  const AttentionMask mask =
      tokens.document_ids.defined()
          ? causal_mask_within(tokens.document_ids)
          : causal_mask(tokens.ids.size(0), tokens.ids.size(1), tokens.ids.device());
  return traits.attention_window > 0 ? within_window(mask, traits.attention_window) : mask;
}

AttentionMask whole_mask(const TokenBatch& tokens) {
  if (tokens.document_ids.defined()) return full_mask_within(tokens.document_ids);
  const int64_t samples = tokens.ids.size(0);
  const int64_t positions = tokens.ids.size(1);
  const at::Tensor lengths =
      tokens.lengths.defined()
          ? tokens.lengths.to(at::kInt).clamp_min(1)
          : at::full({samples}, positions, tokens.ids.options().dtype(at::kInt));
  return full_mask(lengths, positions);
}

at::Tensor positions_of(const ModelTraits& traits, const TokenBatch& tokens) {
  const at::Tensor positions =
      at::arange(tokens.ids.size(1), tokens.ids.options()).expand(tokens.ids.sizes());
  const int64_t first = traits.first_position;
  if (!tokens.document_ids.defined()) return positions + first;
  const at::Tensor ids = tokens.document_ids.contiguous();
  return positions - at::searchsorted(ids, ids) + first;
}

}  // namespace

ModelInput make_input(const ModelConfig& model, const TokenBatch& tokens) {
  const ModelTraits traits = model.traits();
  ModelInput input;
  input.ids = tokens.ids;
  input.positions = positions_of(traits, tokens);
  if (tokens.segments.defined()) {
    input.segments = tokens.segments;
  } else if (traits.num_segments > 0) {
    input.segments = at::zeros_like(tokens.ids);
  }
  input.mask = traits.attention_span == AttentionSpan::kPast ? past_mask(traits, tokens)
                                                             : whole_mask(tokens);
  if (tokens.lengths.defined()) input.lengths = tokens.lengths.to(at::kLong);
  return input;
}

}  // namespace lmtrain

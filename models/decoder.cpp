#include "models/decoder.h"

#include <ATen/ATen.h>

namespace lmtrain {
ModelInput whole_sequences(const at::Tensor& ids) {
  const at::Tensor positions = at::arange(ids.size(1), ids.options()).expand(ids.sizes());
  ModelInput input;
  input.ids = ids;
  input.positions = positions.contiguous();
  input.mask = causal_mask(ids.size(0), ids.size(1), ids.device());
  return input;
}

Decoder::Decoder(const ModelConfig& config, int64_t num_tokens, ParameterStore& store,
                 Communicator& tensor_axis)
    : compute_type_(store.compute_type()),
      embedding_unit_(store.add_unit("embedding")),
      token_table_(add_embedding_table(store, embedding_unit_, "embedding.token.weight", num_tokens,
                                       config.vocab_size, config.hidden_size, tensor_axis,
                                       config.init_std,
                                       /*uses=*/config.has_tied_head() ? 2 : 1)),
      position_table_(config.has_learned_positions()
                          ? &add_embedding_table(store, embedding_unit_,
                                                 "embedding.position.weight", config.max_positions,
                                                 config.max_positions, config.hidden_size, *whole_,
                                                 config.init_std, /*uses=*/1)
                          : nullptr),
      rotary_frequencies_(
          config.has_learned_positions()
              ? at::Tensor()
              : rotary_frequencies(config.rope, config.head_width()).to(store.device())),
      blocks_(add_blocks(store, config, tensor_axis)),
      head_unit_(store.add_unit("head")),
      final_norm_(model_norm(store, head_unit_, "head.norm", config)),
      tensor_axis_(tensor_axis) {
  if (config.has_label_head()) {
    label_head_.emplace(store, head_unit_, config, *whole_);
    return;
  }
  Parameter& table =
      config.has_tied_head()
          ? token_table_
          : add_embedding_table(store, head_unit_, "head.weight", num_tokens, config.vocab_size,
                                config.hidden_size, tensor_axis, config.init_std, /*uses=*/1);
  head_.emplace(table, /*bias=*/nullptr, tensor_axis);
}

ModelLoss Decoder::loss(const ModelInput& input, const Targets& targets,
                        const LossScales& scales) const {
  if (label_head_) return label_head_->loss(label_logits(input), input.lengths, targets, scales);
  const VocabLoss loss = head_->loss(hidden(input), targets.labels, targets.weights,
                                     {.scale = scales.targets, .z_loss = scales.z_loss});
  return {loss.total, [loss, targets, sizes = input.ids.sizes().vec()] {
            return score_samples(loss, targets, sizes[0], sizes[1]);
          }};
}

at::Tensor Decoder::label_logits(const ModelInput& input) const {
  const at::Tensor x = hidden(input);
  if (!label_head_->reads_texts()) return label_head_->logits(x, input.dropout);
  return label_head_->logits(last_rows(x, input.lengths).unsqueeze(1), input.dropout).squeeze(1);
}

at::Tensor Decoder::hidden(const ModelInput& input) const {
  at::Tensor x = Embedding(token_table_, tensor_axis_)(input.ids);
  AttentionContext context{input.mask, {}};
  if (position_table_ != nullptr) {
    x = x + Embedding(*position_table_, *whole_)(input.positions);
  } else {
    context.rotary = rotary_tables(rotary_frequencies_, input.positions, compute_type_);
  }
  x = dropout(x, input.dropout, kEmbeddingDropoutSite);
  x = run_blocks(blocks_, x, context, input.dropout);
  return final_norm_(x);
}

}  // namespace lmtrain

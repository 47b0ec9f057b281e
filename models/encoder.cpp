#include "models/encoder.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "models/functions.h"

namespace lmtrain {

Encoder::Encoder(const ModelConfig& config, int64_t num_tokens, ParameterStore& store,
                 const ModelLayout& layout)
    : Model(config),
      tensor_axis_(layout.tensor),
      embedding_unit_(
          store.add_unit("embedding", /*read_in_backward=*/config.traits().has_norm_after)),
      token_table_(add_cut_table(
          store, embedding_unit_, "embedding.token.weight", {num_tokens, config.vocab_size},
          config.hidden_size, tensor_axis_, config.init_std,
          config.has_language_head() ? TableUse::kEmbeddingAndHead : TableUse::kEmbedding)),
      position_table_(add_whole_table(store, embedding_unit_, "embedding.position.weight",
                                      config.max_positions + config.traits().first_position,
                                      config.hidden_size, tensor_axis_, config.init_std)),
      segment_table_(config.traits().num_segments == 0
                         ? nullptr
                         : &add_whole_table(store, embedding_unit_, "embedding.segment.weight",
                                            config.traits().num_segments, config.hidden_size,
                                            tensor_axis_, config.init_std)),
      embedding_norm_(config.traits().has_norm_after
                          ? std::optional(model_norm(store, embedding_unit_, "embedding.norm",
                                                     config, tensor_axis_))
                          : std::nullopt),
      blocks_(add_blocks(store, config, layout)),
      head_unit_(store.add_unit("head")) {
  if (!config.traits().has_norm_after) {
    final_norm_.emplace(model_norm(store, head_unit_, "encoder.norm", config, tensor_axis_));
  }
  if (config.has_language_head()) {
    token_head_.emplace(store, head_unit_, config, token_table_, *tensor_axis_.group, *whole_);
  }
  if (config.traits().has_pooler) pooler_.emplace(store, head_unit_, config, *whole_);
  if (config.has_label_head()) label_head_.emplace(store, head_unit_, config, *whole_);
  if (config.has_sentence_head()) sentence_head_.emplace(store, head_unit_, config, *whole_);
}

ModelLoss Encoder::loss(const ModelInput& input, const Targets& targets,
                        const LossScales& scales) const {
  if (label_head_) return label_head_->loss(label_logits(input), input.lengths, targets, scales);
  const at::Tensor x = hidden(input);
  const VocabLoss tokens =
      token_loss(as_rows(x).index_select(0, targets.places), targets.labels, targets.weights,
                 {scales.targets, scales.z_loss, /*with_predictions=*/!at::GradMode::is_enabled()});
  const auto token_scores = [tokens, targets, sizes = input.ids.sizes().vec()] {
    return score_samples(tokens, targets, sizes[0], sizes[1]);
  };
  if (!sentence_head_) return {tokens.total, token_scores};
  const SentenceLoss sentences =
      sentence_head_->loss((*pooler_)(x), targets.sentence_labels, scales.sentences);
  return {tokens.total + sentences.total, [token_scores, sentences] {
            std::vector<SampleScore> samples = token_scores();
            const at::Tensor losses = sentences.losses.cpu();
            const at::Tensor is_correct = sentences.is_correct.cpu();
            for (size_t i = 0; i < samples.size(); ++i) {
              samples[i].sentence_loss = losses.data_ptr<double>()[i];
              samples[i].sentence_is_correct = is_correct.data_ptr<bool>()[i];
            }
            return samples;
          }};
}

at::Tensor Encoder::label_logits(const ModelInput& input) const {
  const at::Tensor x = hidden(input);
  if (sentence_head_) return sentence_logits(x);
  // A pooled text is passed as a sequence of one position.
  const at::Tensor rows = pooler_ ? (*pooler_)(x).unsqueeze(1) : x;
  const at::Tensor logits = label_head_->logits(rows, input.dropout);
  return pooler_ ? logits.squeeze(1) : logits;
}

at::Tensor Encoder::hidden(const ModelInput& input) const {
  const DropoutContext dropped = dropout_of_rows(input.dropout, input.ids, tensor_axis_);
  at::Tensor x = dropout(embedded(input), dropped, kEmbeddingDropoutSite);
  x = run_blocks(blocks_, x, {.mask = input.mask, .listener = &input.on_attention}, dropped);
  x = recorded(x, head_unit_);
  if (final_norm_) x = (*final_norm_)(x);
  return gathered_for_all(x, tensor_axis_).view({input.ids.size(0), input.ids.size(1), -1});
}

at::Tensor Encoder::token_vectors(const at::Tensor& ids) const {
  return lmtrain::token_vectors(ids, token_table_, tensor_axis_);
}

// Returns this rank's rows, [rows, hidden].
at::Tensor Encoder::embedded(const ModelInput& input) const {
  const UnitInForward scope(embedding_unit_);
  at::Tensor x = embedded_tokens(input, token_table_, tensor_axis_);
  if (segment_table_ != nullptr)
    x = x + Embedding(*segment_table_, tensor_axis_)(input.segments.flatten());
  x = x + Embedding(position_table_, tensor_axis_)(input.positions.flatten());
  return embedding_norm_ ? (*embedding_norm_)(recorded(x, embedding_unit_)) : x;
}

VocabLoss Encoder::token_loss(const at::Tensor& rows, const at::Tensor& labels,
                              const at::Tensor& weights, const VocabLossOptions& options) const {
  const UnitInForward scope(embedding_unit_);  // the head shares its table
  return token_head_->loss(rows, labels, weights, options);
}

at::Tensor Encoder::log_probabilities(const at::Tensor& rows) const {
  return token_head_->log_probabilities(rows);
}

at::Tensor Encoder::sentence_logits(const at::Tensor& hidden) const {
  return sentence_head_->logits((*pooler_)(hidden));
}

}  // namespace lmtrain

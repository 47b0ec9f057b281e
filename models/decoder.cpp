#include "models/decoder.h"

#include <ATen/ATen.h>

namespace lmtrain {

Decoder::Decoder(const ModelConfig& config, int64_t num_tokens, ParameterStore& store,
                 const ModelLayout& layout)
    : Model(config),
      tensor_axis_(layout.tensor),
      compute_type_(store.compute_type()),
      embedding_unit_(store.add_unit("embedding", /*read_in_backward=*/false)),
      token_table_(add_cut_table(
          store, embedding_unit_, "embedding.token.weight", {num_tokens, config.vocab_size},
          config.hidden_size, tensor_axis_, config.init_std,
          config.has_tied_head() ? TableUse::kEmbeddingAndHead : TableUse::kEmbedding)),
      position_table_(config.traits().positions == PositionKind::kLearned
                          ? &add_whole_table(store, embedding_unit_, "embedding.position.weight",
                                             config.max_positions + config.traits().first_position,
                                             config.hidden_size, tensor_axis_, config.init_std)
                          : nullptr),
      rotary_frequencies_(
          config.traits().positions == PositionKind::kLearned
              ? at::Tensor()
              : rotary_frequencies(config.rope, config.head_width()).to(store.device())),
      blocks_(add_blocks(store, config, layout)),
      head_unit_(store.add_unit("head")),
      final_norm_(model_norm(store, head_unit_, "head.norm", config, tensor_axis_)) {
  if (config.has_label_head()) {
    label_head_.emplace(store, head_unit_, config, *whole_);
    return;
  }
  Parameter& table =
      config.has_tied_head()
          ? token_table_
          : add_cut_table(store, head_unit_, "head.weight", {num_tokens, config.vocab_size},
                          config.hidden_size, tensor_axis_, config.init_std, TableUse::kHead);
  head_.emplace(table, /*bias=*/nullptr, tensor_axis_);
}

ModelLoss Decoder::loss(const ModelInput& input, const Targets& targets,
                        const LossScales& scales) const {
  if (label_head_) return label_head_->loss(label_logits(input), input.lengths, targets, scales);
  const at::Tensor x = own_rows_of_hidden(input);
  const UnitInForward scope(embedding_unit_);  // the head may share its table
  const VocabLoss loss = head_->loss(x, targets.labels, targets.weights,
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
  return gathered_for_all(own_rows_of_hidden(input), tensor_axis_)
      .view({input.ids.size(0), input.ids.size(1), -1});
}

at::Tensor Decoder::token_vectors(const at::Tensor& ids) const {
  return lmtrain::token_vectors(ids, token_table_, tensor_axis_);
}

KeyValueCache Decoder::make_cache(int64_t num_slots) const {
  return {config(),      *tensor_axis_.group,
          num_slots,     config().max_positions,
          compute_type_, embedding_unit_.master().device()};
}

at::Tensor Decoder::hidden(const at::Tensor& ids, const std::vector<TokenSpan>& spans,
                           KeyValueCache& cache) const {
  const int64_t multiple = multiple_of_rows();
  const int64_t rows = (ids.numel() + multiple - 1) / multiple * multiple;
  std::vector<int64_t> positions;
  for (const TokenSpan& span : spans) {
    for (int64_t i = span.first; i < span.end(); ++i)
      positions.push_back(i + config().traits().first_position);
  }
  positions.resize(static_cast<size_t>(rows), config().traits().first_position);
  ModelInput input;
  const at::Device device = embedding_unit_.master().device();
  input.ids = at::constant_pad_nd(ids, {0, rows - ids.numel()}).unsqueeze(0).to(device);
  input.positions = at::tensor(positions, at::kLong).unsqueeze(0).to(device);
  const at::Tensor x =
      own_rows_of_hidden(input, CachedPass{&cache, &spans, 0, config().traits().attention_window});
  return gathered_for_all(x, tensor_axis_).narrow(0, 0, ids.numel());
}

at::Tensor Decoder::own_rows_of_hidden(const ModelInput& input,
                                       const std::optional<CachedPass>& cached) const {
  AttentionContext context{input.mask, {}, cached, &input.on_attention};
  if (position_table_ == nullptr)
    context.rotary = rotary_tables(rotary_frequencies_, input.positions, compute_type_);
  const DropoutContext dropped = dropout_of_rows(input.dropout, input.ids, tensor_axis_);
  const at::Tensor x = dropout(embedded(input), dropped, kEmbeddingDropoutSite);
  return final_norm_(recorded(run_blocks(blocks_, x, context, dropped), head_unit_));
}

// Returns this rank's rows, [rows, hidden].
at::Tensor Decoder::embedded(const ModelInput& input) const {
  const UnitInForward scope(embedding_unit_);
  const at::Tensor x = embedded_tokens(input, token_table_, tensor_axis_);
  if (position_table_ == nullptr) return x;
  return x + Embedding(*position_table_, tensor_axis_)(input.positions.flatten());
}

}  // namespace lmtrain

#include "models/decoder.h"

#include <ATen/ATen.h>

#include "base/text.h"

namespace lmtrain {
namespace {

// Places of dropout, numbered for its masks: the embedding, then four of each block (one is spare).
constexpr int64_t kEmbeddingSite = 0;
constexpr int64_t kSitesPerBlock = 4;

NormKind norm_kind(const ModelConfig& config) {
  return config.is_llama() ? NormKind::kRootMeanSquare : NormKind::kLayer;
}

Norm norm(ParameterStore& store, ParameterUnit& unit, const std::string& name,
          const ModelConfig& config) {
  return {store, unit, name, config.hidden_size, norm_kind(config), config.norm_eps};
}

}  // namespace

DecoderInput whole_sequences(const at::Tensor& ids) {
  const at::Tensor positions = at::arange(ids.size(1), ids.options()).expand(ids.sizes());
  return {ids, positions.contiguous(), causal_mask(ids.size(0), ids.size(1), ids.device()), {}};
}

Decoder::Block::Block(ParameterStore& store, const std::string& name, const ModelConfig& config,
                      Communicator& tensor_axis)
    : unit(store.add_unit(name)),
      attention_norm(norm(store, unit, name + ".attention.norm", config)),
      attention(store, unit, name + ".attention", config, tensor_axis),
      feed_forward_norm(norm(store, unit, name + ".feed_forward.norm", config)),
      feed_forward(store, unit, name + ".feed_forward", config, tensor_axis) {}

at::Tensor Decoder::Block::operator()(const at::Tensor& x, const AttentionContext& context,
                                      const DropoutContext& dropped, int64_t site) const {
  const at::Tensor attended = attention(attention_norm(x), context, dropped, site);
  const at::Tensor middle = x + dropout(attended, dropped, site + 1);
  return middle + dropout(feed_forward(feed_forward_norm(middle)), dropped, site + 2);
}

Decoder::Decoder(const ModelConfig& config, int64_t num_tokens, ParameterStore& store,
                 Communicator& tensor_axis)
    : compute_type_(store.compute_type()),
      embedding_unit_(store.add_unit("embedding")),
      token_table_(add_embedding_table(store, embedding_unit_, "embedding.token.weight", num_tokens,
                                       config.vocab_size, config.hidden_size, tensor_axis,
                                       config.init_std,
                                       /*uses=*/config.has_tied_embeddings() ? 2 : 1)),
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
      blocks_([&] {
        std::deque<Block> blocks;
        for (int64_t i = 0; i < config.num_layers; ++i) {
          blocks.emplace_back(store, cat("blocks.", i), config, tensor_axis);
        }
        return blocks;
      }()),
      head_unit_(store.add_unit("head")),
      final_norm_(norm(store, head_unit_, "head.norm", config)),
      head_(
          store,
          config.has_tied_embeddings()
              ? token_table_
              : add_embedding_table(store, head_unit_, "head.weight", num_tokens, config.vocab_size,
                                    config.hidden_size, tensor_axis, config.init_std, /*uses=*/1),
          tensor_axis),
      tensor_axis_(tensor_axis) {}

at::Tensor Decoder::hidden(const DecoderInput& input) const {
  at::Tensor x = Embedding(token_table_, tensor_axis_)(input.ids);
  AttentionContext context{input.mask, {}};
  if (position_table_ != nullptr) {
    x = x + Embedding(*position_table_, *whole_)(input.positions);
  } else {
    context.rotary = rotary_tables(rotary_frequencies_, input.positions, compute_type_);
  }
  x = dropout(x, input.dropout, kEmbeddingSite);
  int64_t site = kEmbeddingSite + 1;
  for (const Block& block : blocks_) {
    x = block(x, context, input.dropout, site);
    site += kSitesPerBlock;
  }
  return final_norm_(x);
}

}  // namespace lmtrain

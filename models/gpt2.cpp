#include "models/gpt2.h"

#include <ATen/ATen.h>

#include "base/text.h"
#include "models/gelu.h"

namespace lmtrain {
namespace {

// Places of dropout, numbered for its masks: the embedding, then four of each block (one is spare).
constexpr int64_t kEmbeddingSite = 0;
constexpr int64_t kSitesPerBlock = 4;

}  // namespace

Gpt2::Block::Block(ParameterStore& store, const std::string& name, const ModelConfig& config,
                   Communicator& tensor_axis)
    : unit(store.add_unit(name)),
      attention_norm(store, unit, name + ".attention.norm", config.hidden_size,
                     config.layer_norm_eps),
      attention(store, unit, name + ".attention", config, tensor_axis),
      feed_forward_norm(store, unit, name + ".feed_forward.norm", config.hidden_size,
                        config.layer_norm_eps),
      up(store, unit, name + ".feed_forward.up", config.hidden_size, {config.feed_forward_size()},
         LinearCut::kColumn, tensor_axis, {.std = config.init_std}),
      down(store, unit, name + ".feed_forward.down", config.feed_forward_size(),
           {config.hidden_size}, LinearCut::kRow, tensor_axis,
           {.std = config.residual_init_std()}) {}

at::Tensor Gpt2::Block::operator()(const at::Tensor& x, const DropoutContext& context,
                                   int64_t site) const {
  const at::Tensor attended = attention(attention_norm(x), context, site);
  const at::Tensor middle = x + dropout(attended, context, site + 1);
  const at::Tensor expanded = gelu_tanh(up(feed_forward_norm(middle)));
  return middle + dropout(down(expanded), context, site + 2);
}

Gpt2::Gpt2(const ModelConfig& config, int64_t num_tokens, ParameterStore& store,
           Communicator& tensor_axis)
    : embedding_unit_(store.add_unit("embedding")),
      token_table_(add_embedding_table(store, embedding_unit_, "embedding.token.weight", num_tokens,
                                       config.vocab_size, config.hidden_size, tensor_axis,
                                       config.init_std,
                                       /*uses=*/2)),
      position_table_(add_embedding_table(
          store, embedding_unit_, "embedding.position.weight", config.max_positions,
          config.max_positions, config.hidden_size, *whole_, config.init_std, /*uses=*/1)),
      token_embedding_(token_table_, tensor_axis),
      position_embedding_(position_table_, *whole_),
      blocks_([&] {
        std::deque<Block> blocks;
        for (int64_t i = 0; i < config.num_layers; ++i) {
          blocks.emplace_back(store, cat("blocks.", i), config, tensor_axis);
        }
        return blocks;
      }()),
      final_norm_(store, store.add_unit("head"), "head.norm", config.hidden_size,
                  config.layer_norm_eps),
      head_(store, token_table_, tensor_axis) {}

at::Tensor Gpt2::hidden(const DecoderInput& input) const {
  at::Tensor x = token_embedding_(input.ids) + position_embedding_(input.positions);
  x = dropout(x, input.dropout, kEmbeddingSite);
  int64_t site = kEmbeddingSite + 1;
  for (const Block& block : blocks_) {
    x = block(x, input.dropout, site);
    site += kSitesPerBlock;
  }
  return final_norm_(x);
}

}  // namespace lmtrain

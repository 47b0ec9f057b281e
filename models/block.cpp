#include "models/block.h"

#include <ATen/ATen.h>

#include "base/text.h"
#include "models/recompute.h"

namespace lmtrain {

Norm model_norm(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                const ModelConfig& config, const TensorAxis& axis) {
  return {store,
          unit,
          name,
          config.hidden_size,
          config.traits().norm,
          config.norm_eps,
          axis.axes_of_row_gradients()};
}

at::Tensor recorded(const at::Tensor& x, const ParameterUnit& unit) {
  if (!at::GradMode::is_enabled() || x.requires_grad() || unit.is_frozen()) return x;
  return x.detach().requires_grad_();
}

TransformerBlock::TransformerBlock(ParameterStore& store, const std::string& name,
                                   const ModelConfig& config, const ModelLayout& layout)
    : has_norm_after_(config.traits().has_norm_after),
      recomputes_(layout.recompute == Recompute::kFull),
      unit_(store.add_unit(name)),
      attention_norm_(model_norm(store, unit_, name + ".attention.norm", config, layout.tensor)),
      attention_(store, unit_, name + ".attention", config, layout),
      feed_forward_norm_(
          model_norm(store, unit_, name + ".feed_forward.norm", config, layout.tensor)),
      feed_forward_(store, unit_, name + ".feed_forward", config, layout.tensor) {}

at::Tensor TransformerBlock::operator()(const at::Tensor& input, const AttentionContext& context,
                                        const DropoutContext& dropped, int64_t site) const {
  const at::Tensor x = recorded(input, unit_);
  if (!recomputes_) return forward(x, context, dropped, site);
  return recomputed(x, [this, context, dropped, site](const at::Tensor& t) {
    return forward(t, context, dropped, site);
  });
}

at::Tensor TransformerBlock::forward(const at::Tensor& x, const AttentionContext& context,
                                     const DropoutContext& dropped, int64_t site) const {
  const UnitInForward scope(unit_);
  const auto attended = [&](const at::Tensor& in) {
    return dropout(attention_(in, context, dropped, site), dropped, site + 1);
  };
  const auto fed_forward = [&](const at::Tensor& in) {
    return dropout(feed_forward_(in), dropped, site + 2);
  };
  if (has_norm_after_) {
    const at::Tensor middle = attention_norm_(x + attended(x));
    return feed_forward_norm_(middle + fed_forward(middle));
  }
  const at::Tensor middle = x + attended(attention_norm_(x));
  return middle + fed_forward(feed_forward_norm_(middle));
}

std::deque<TransformerBlock> add_blocks(ParameterStore& store, const ModelConfig& config,
                                        const ModelLayout& layout) {
  std::deque<TransformerBlock> blocks;
  for (int64_t i = 0; i < config.num_layers; ++i)
    blocks.emplace_back(store, cat("blocks.", i), config, layout);
  return blocks;
}

DropoutContext dropout_of_rows(DropoutContext dropout, const at::Tensor& ids,
                               const TensorAxis& axis) {
  dropout.positions = ids.size(1);
  if (axis.cuts_rows) dropout.first_row = ids.numel() / axis.size() * axis.group->rank();
  return dropout;
}

at::Tensor run_blocks(const std::deque<TransformerBlock>& blocks, at::Tensor x,
                      AttentionContext context, const DropoutContext& dropout) {
  int64_t site = kEmbeddingDropoutSite + 1;
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (context.cached) context.cached->layer = static_cast<int64_t>(i);
    x = blocks[i](x, context, dropout, site);
    site += TransformerBlock::kDropoutSites;
  }
  return x;
}

}  // namespace lmtrain

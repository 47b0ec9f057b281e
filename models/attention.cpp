#include "models/attention.h"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "models/blocked_attention.h"
#include "models/recompute.h"

namespace lmtrain {
namespace {

std::optional<Norm> head_norm(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                              const ModelConfig& config, const TensorAxis& tensor_axis) {
  if (!config.qk_norm) return std::nullopt;
  // All heads share the weight, and ranks have different heads.
  std::vector<MeshAxis> axes = {MeshAxis::kData};
  if (tensor_axis.size() > 1) axes.push_back(MeshAxis::kTensor);
  return Norm(store, unit, name, config.head_width(), NormKind::kRootMeanSquare, config.norm_eps,
              axes);
}

// Returns the matrices of query, key and value in a weight of shape [key heads, queries of a group
// + 2, head size, hidden size].
std::vector<MatrixSlice> qkv_matrices(int64_t queries_per_group) {
  return {{1, 0, queries_per_group}, {1, queries_per_group, 1}, {1, queries_per_group + 1, 1}};
}

// Repeats each head of keys or values once for each query head that reads it.
at::Tensor repeated(const at::Tensor& heads, int64_t times) {
  return times == 1 ? heads : heads.repeat_interleave(times, 1);
}

// Returns softmax(q k^T / sqrt(head size)), [samples, heads of q, queries, keys].
at::Tensor probabilities(const at::Tensor& q, const at::Tensor& k, const AttentionMask& mask) {
  const at::Tensor keys = repeated(k, q.size(1) / k.size(1));
  const at::Tensor scores =
      at::matmul(q, keys.transpose(-2, -1)) / std::sqrt(static_cast<double>(q.size(3)));
  return scores.masked_fill(mask.matrix().logical_not(), -std::numeric_limits<double>::infinity())
      .softmax(-1);
}

}  // namespace

SelfAttention::SelfAttention(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                             const ModelConfig& config, const ModelLayout& layout)
    : head_size_(config.head_width()),
      num_groups_(config.kv_heads() / layout.tensor.size()),
      queries_per_group_(config.num_heads / config.kv_heads()),
      recomputes_(layout.recompute == Recompute::kSelective),
      tensor_group_(*layout.tensor.group),
      qkv_(store, unit, name + ".qkv", config.hidden_size,
           {{config.kv_heads(), queries_per_group_ + 2, head_size_}, /*cut_dim=*/0},
           LinearCut::kColumn, layout.tensor,
           {.bias = config.traits().has_biases || config.traits().has_qkv_biases,
            .std = config.init_std,
            .matrices = qkv_matrices(queries_per_group_),
            .adapted = &config}),
      output_(store, unit, name + ".output", config.num_heads * head_size_, {{config.hidden_size}},
              LinearCut::kRow, layout.tensor,
              {.bias = config.traits().has_biases,
               .std = config.traits().residual_init_std,
               .matrices = {{0, 0, config.hidden_size}},
               .adapted = &config}),
      query_norm_(head_norm(store, unit, name + ".query_norm", config, layout.tensor)),
      key_norm_(head_norm(store, unit, name + ".key_norm", config, layout.tensor)) {}

at::Tensor SelfAttention::operator()(const at::Tensor& x, const AttentionContext& context,
                                     const DropoutContext& dropout, int64_t site) const {
  const int64_t first_head = tensor_group_.rank() * num_groups_ * queries_per_group_;
  const DropoutSite place = {dropout, site, first_head};
  const at::Tensor qkv = qkv_(x);
  if (!recomputes_) return output_(mix(qkv, context, place));
  return output_(recomputed(
      qkv, [this, context, place](const at::Tensor& t) { return mix(t, context, place); }));
}

at::Tensor SelfAttention::mix(const at::Tensor& qkv, const AttentionContext& context,
                              const DropoutSite& dropout) const {
  // The rows of a cached pass are one sample here, whatever sequences they belong to.
  const int64_t samples = context.cached ? 1 : context.mask.end.size(0);
  const int64_t positions = qkv.size(0) / samples;
  // The view has four dims: backward joins the three gradients by LibTorch's fast kernel, which
  // takes no more.
  const auto parts =
      qkv.view({samples * positions, num_groups_, queries_per_group_ + 2, head_size_})
          .split_with_sizes({queries_per_group_, 1, 1}, 2);
  const auto by_position = [&](const at::Tensor& t) {
    return t.view({samples, positions, num_groups_, t.size(2), head_size_});
  };
  at::Tensor q = by_position(parts[0]);
  at::Tensor k = by_position(parts[1]);
  if (query_norm_) q = (*query_norm_)(q);
  if (key_norm_) k = (*key_norm_)(k);
  if (context.rotary) {
    q = rotate(q, *context.rotary);
    k = rotate(k, *context.rotary);
  }
  if (context.cached) {
    const auto of_rows = [&](const at::Tensor& t) { return t[0].flatten(1, 2); };
    return cached_attention(of_rows(q), of_rows(k), of_rows(by_position(parts[2])), *context.cached)
        .flatten(1, 2);
  }
  const auto heads_first = [&](const at::Tensor& t) { return t.flatten(2, 3).transpose(1, 2); };
  if (context.listener != nullptr && *context.listener) {
    const at::Tensor own = probabilities(heads_first(q), heads_first(k), context.mask);
    (*context.listener)(at::cat(gather_parts(tensor_group_, own), 1));
  }
  const at::Tensor mixed = attention(heads_first(q), heads_first(k),
                                     heads_first(by_position(parts[2])), context.mask, dropout);
  return mixed.transpose(1, 2).reshape({samples * positions, -1});
}

at::Tensor attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                     const AttentionMask& mask, const DropoutSite& dropout) {
  if (blocked_attention_suits(q, k)) return blocked_attention(q, k, v, mask, dropout);
  const int64_t times = q.size(1) / k.size(1);
  const at::Tensor keys = repeated(k, times);
  const at::Tensor values = repeated(v, times);
  if (dropout.context.probability == 0.0) {
    const auto matrix =
        mask.form == MaskForm::kRanges ? mask.matrix() : c10::optional<at::Tensor>();
    return at::scaled_dot_product_attention(q, keys, values, matrix, 0.0,
                                            mask.form == MaskForm::kCausal);
  }
  return at::matmul(attention_dropout(probabilities(q, k, mask), dropout), values);
}

}  // namespace lmtrain

#include "models/blocked_attention.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "models/attention_tiles.h"
#include "models/functions.h"

namespace lmtrain {
namespace {

class Forward {
 public:
  struct Tensors {
    at::Tensor q, k, v, output, log_sums;
  };

  Forward(const AttentionShape& shape, const Tensors& tensors, const AttentionMask& mask,
          const std::optional<DropoutRows>& dropout)
      : shape_(shape),
        tensors_(tensors),
        mask_(mask),
        dropout_(dropout),
        q_(shape.matrix()),
        k_(shape.matrix()),
        v_(shape.matrix()),
        scores_(static_cast<size_t>(kTile * shape.rows)),
        weights_(static_cast<size_t>(kTile * shape.rows)),
        mixed_(static_cast<size_t>(kTile * shape.head_size)),
        factors_(static_cast<size_t>(shape.rows)) {}

  void run(int64_t sample, int64_t group) {
    kernels_.pair_features(head_matrix(tensors_.k, shape_, sample, group), k_.data());
    kernels_.pair_rows(head_matrix(tensors_.v, shape_, sample, group), v_.data());
    const int64_t count = shape_.heads_per_group();
    for (int64_t head = group * count; head < (group + 1) * count; ++head) {
      kernels_.copy_rows(head_matrix(tensors_.q, shape_, sample, head), q_.data());
      for (int64_t first = 0; first < shape_.positions; first += kTile)
        query_tile(sample, head, first);
    }
  }

 private:
  void query_tile(int64_t sample, int64_t head, int64_t first) {
    const int64_t width = shape_.head_size;
    const int64_t num_queries = std::min(kTile, shape_.positions - first);
    const TileRanges ranges(mask_, sample, first, num_queries);
    for (int64_t key = ranges.begin(); key < ranges.stop(); key += kTile) {
      multiply(kTile, width, q_.data() + first * width, width, k_.data() + 2 * key, shape_.rows,
               scores_.data() + key, shape_.rows, false);
    }
    float inverse_sums[kTile];
    const float scale = 1.0F / std::sqrt(static_cast<float>(width));
    auto* const log_sums = tensors_.log_sums.data_ptr<float>() +
                           (sample * shape_.heads + head) * shape_.positions + first;
    for (int64_t r = 0; r < num_queries; ++r) {
      if (dropout_)
        dropout_->fill(sample, head, first + r, ranges.stop(),
                       reinterpret_cast<uint32_t*>(factors_.data()));
      const int64_t at = r * shape_.rows + ranges.begin();
      log_sums[r] =
          kernels_.softmax_row({scores_.data() + at, ranges.first(r) - ranges.begin(),
                                ranges.end(r) - ranges.begin(), ranges.stop() - ranges.begin(),
                                scale, dropout_ ? factors_.data() + ranges.begin() : nullptr,
                                weights_.data() + at, &inverse_sums[r]});
    }
    for (int64_t key = ranges.begin(); key < ranges.stop(); key += kTile) {
      multiply(width, kTile, weights_.data() + key, shape_.rows, v_.data() + key * width, width,
               mixed_.data(), width, key > ranges.begin());
    }
    Bf16* const to = head_rows(tensors_.output, sample, head);
    for (int64_t r = 0; r < num_queries; ++r) {
      kernels_.round_row(mixed_.data() + r * width, width, inverse_sums[r],
                         to + (first + r) * tensors_.output.stride(2));
    }
  }

  const AttentionKernels& kernels_ = cpu_kernels().attention;
  const AttentionShape shape_;
  const Tensors& tensors_;
  const AttentionMask& mask_;
  const std::optional<DropoutRows>& dropout_;
  std::vector<Bf16> q_, k_, v_;  // as they are, in pairs of features, in pairs of rows
  std::vector<float> scores_;    // [kTile, rows]
  std::vector<Bf16> weights_;    // [kTile, rows]
  std::vector<float> mixed_;     // [kTile, head size]
  std::vector<float> factors_;   // [rows]
};

// With P the probabilities, F the factors of dropout, O the output, delta the dot product of each
// query's rows of O and dO, and * the product element by element:
//   dV = (F * P)^T dO   dP = F * (dO V^T)   dS = scale P * (dP - delta)   dQ = dS K   dK = dS^T Q
// Tiles are computed transposed, as [keys, queries], so that (F * P)^T and dS^T are first factors
// as they are; dQ comes out transposed. dK and dV are sums over the group's heads, in their order.
class Backward {
 public:
  struct Tensors {
    at::Tensor q, k, v, output, log_sums, d_output, d_q, d_k, d_v;
  };

  Backward(const AttentionShape& shape, const Tensors& tensors, const AttentionMask& mask,
           const std::optional<DropoutRows>& dropout)
      : shape_(shape),
        tensors_(tensors),
        mask_(mask),
        dropout_(dropout),
        k_(shape.matrix()),
        v_(shape.matrix()),
        k_features_(shape.matrix()),
        k_transposed_(shape.matrix()),
        q_features_(shape.matrix()),
        d_output_features_(shape.matrix()),
        q_rows_(shape.matrix()),
        d_output_rows_(shape.matrix()),
        d_k_(shape.matrix()),
        d_v_(shape.matrix()),
        key_tile_is_set_(static_cast<size_t>(shape.rows / kTile)),
        d_q_transposed_(static_cast<size_t>(kTile * shape.head_size)),
        log_sums_(static_cast<size_t>(shape.rows)),
        deltas_(static_cast<size_t>(shape.rows)),
        factors_of_row_(static_cast<size_t>(shape.rows)) {}

  void run(int64_t sample, int64_t group) {
    const HeadMatrix k = head_matrix(tensors_.k, shape_, sample, group);
    kernels_.copy_rows(k, k_.data());
    kernels_.copy_rows(head_matrix(tensors_.v, shape_, sample, group), v_.data());
    kernels_.pair_features(k, k_features_.data());
    kernels_.split_pairs(k_features_.data(), shape_.head_size, shape_.rows, k_transposed_.data());
    std::fill(key_tile_is_set_.begin(), key_tile_is_set_.end(), 0);
    const int64_t count = shape_.heads_per_group();
    for (int64_t head = group * count; head < (group + 1) * count; ++head) query_head(sample, head);
    clear_unseen_keys();
    store(tensors_.d_k, sample, group, d_k_);
    store(tensors_.d_v, sample, group, d_v_);
  }

 private:
  void query_head(int64_t sample, int64_t head) {
    const HeadMatrix q = head_matrix(tensors_.q, shape_, sample, head);
    const HeadMatrix d_output = head_matrix(tensors_.d_output, shape_, sample, head);
    kernels_.pair_features(q, q_features_.data());
    kernels_.pair_features(d_output, d_output_features_.data());
    kernels_.pair_rows(q, q_rows_.data());
    kernels_.pair_rows(d_output, d_output_rows_.data());
    query_statistics(sample, head, d_output);
    for (int64_t first = 0; first < shape_.positions; first += kTile)
      query_tile(sample, head, first);
  }

  void query_statistics(int64_t sample, int64_t head, const HeadMatrix& d_output) {
    const HeadMatrix output = head_matrix(tensors_.output, shape_, sample, head);
    const float* const saved =
        tensors_.log_sums.data_ptr<float>() + (sample * shape_.heads + head) * shape_.positions;
    std::copy(saved, saved + shape_.positions, log_sums_.begin());
    for (int64_t t = 0; t < shape_.positions; ++t) {
      deltas_[static_cast<size_t>(t)] = kernels_.dot(
          output.data + t * output.stride, d_output.data + t * d_output.stride, shape_.head_size);
    }
  }

  void query_tile(int64_t sample, int64_t head, int64_t first) {
    const int64_t width = shape_.head_size;
    const int64_t num_queries = std::min(kTile, shape_.positions - first);
    const TileRanges ranges(mask_, sample, first, num_queries);
    for (int64_t key = ranges.begin(); key < ranges.stop(); key += kTile) {
      multiply(kTile, width, k_.data() + key * width, width, q_features_.data() + 2 * first,
               shape_.rows, scores_, kTile, false);
      multiply(kTile, width, v_.data() + key * width, width, d_output_features_.data() + 2 * first,
               shape_.rows, d_probabilities_, kTile, false);
      if (dropout_) fill_dropout(sample, head, first, key);
      const bool is_partial = !ranges.covers(key);
      kernels_.gradient_tile(
          {scores_, d_probabilities_, log_sums_.data() + first, deltas_.data() + first,
           dropout_ ? factors_ : nullptr, 1.0F / std::sqrt(static_cast<float>(width)),
           is_partial ? ranges.firsts() : nullptr, is_partial ? ranges.ends() : nullptr,
           static_cast<int32_t>(key), probabilities_, d_scores_, d_scores_in_pairs_});
      char& is_set = key_tile_is_set_[static_cast<size_t>(key / kTile)];
      multiply(width, kTile, probabilities_, kTile, d_output_rows_.data() + first * width, width,
               d_v_.data() + key * width, width, is_set != 0);
      multiply(width, kTile, d_scores_, kTile, q_rows_.data() + first * width, width,
               d_k_.data() + key * width, width, is_set != 0);
      is_set = 1;
      at::native::cpublas::brgemm(
          width, kTile, kTile, shape_.rows, kTile, kTile, key > ranges.begin(),
          reinterpret_cast<const at::BFloat16*>(k_transposed_.data()) + key,
          reinterpret_cast<const at::BFloat16*>(d_scores_in_pairs_), d_q_transposed_.data());
    }
    const int64_t stride = tensors_.d_q.stride(2);
    kernels_.round_transposed_tile(d_q_transposed_.data(), width, num_queries,
                                   head_rows(tensors_.d_q, sample, head) + first * stride, stride);
  }

  // Fills the tile's dropout factors, transposed as the tile is.
  void fill_dropout(int64_t sample, int64_t head, int64_t first, int64_t key) {
    for (int64_t r = 0; r < kTile; ++r) {
      dropout_->fill(sample, head, first + r, key + kTile,
                     reinterpret_cast<uint32_t*>(factors_of_row_.data()));
      for (int64_t k = 0; k < kTile; ++k)
        factors_[k * kTile + r] = factors_of_row_[static_cast<size_t>(key + k)];
    }
  }

  // Sets the gradients of keys that no query saw, such as padding, to zero.
  void clear_unseen_keys() {
    const auto tile = kTile * shape_.head_size;
    for (size_t i = 0; i < key_tile_is_set_.size(); ++i) {
      if (key_tile_is_set_[i] != 0) continue;
      std::fill_n(d_k_.begin() + static_cast<int64_t>(i) * tile, tile, 0.0F);
      std::fill_n(d_v_.begin() + static_cast<int64_t>(i) * tile, tile, 0.0F);
    }
  }

  void store(const at::Tensor& gradient, int64_t sample, int64_t head,
             const std::vector<float>& sums) const {
    Bf16* const to = head_rows(gradient, sample, head);
    for (int64_t t = 0; t < shape_.positions; ++t) {
      kernels_.round_row(sums.data() + t * shape_.head_size, shape_.head_size, 1.0F,
                         to + t * gradient.stride(2));
    }
  }

  const AttentionKernels& kernels_ = cpu_kernels().attention;
  const AttentionShape shape_;
  const Tensors& tensors_;
  const AttentionMask& mask_;
  const std::optional<DropoutRows>& dropout_;
  std::vector<Bf16> k_, v_, k_features_, k_transposed_;
  std::vector<Bf16> q_features_, d_output_features_, q_rows_, d_output_rows_;
  std::vector<float> d_k_, d_v_;          // [rows, head size]
  std::vector<char> key_tile_is_set_;     // whether d_k_ and d_v_ hold sums of that tile
  std::vector<float> d_q_transposed_;     // [head size, kTile]
  std::vector<float> log_sums_, deltas_;  // [rows]
  std::vector<float> factors_of_row_;     // [rows]
  float scores_[kTile * kTile];
  float d_probabilities_[kTile * kTile];
  float factors_[kTile * kTile];
  Bf16 probabilities_[kTile * kTile];
  Bf16 d_scores_[kTile * kTile];
  Bf16 d_scores_in_pairs_[kTile * kTile];
};

std::optional<DropoutRows> rows_of(const DropoutSite& site) {
  if (site.context.probability == 0.0) return std::nullopt;
  return DropoutRows(site);
}

// Views [samples, positions, heads, head size] as [samples, heads, positions, head size].
at::Tensor heads_first(const at::Tensor& tensor) { return tensor.transpose(1, 2); }

struct BlockedAttentionFunction : torch::autograd::Function<BlockedAttentionFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q, const at::Tensor& k,
                            const at::Tensor& v, const AttentionMask& mask,
                            const DropoutSite& dropout) {
    const AttentionShape shape(q, k);
    Forward::Tensors t{q, k, v, {}, {}};
    t.output = heads_first(
        at::empty({shape.samples, shape.positions, shape.heads, shape.head_size}, q.options()));
    t.log_sums =
        at::empty({shape.samples, shape.heads, shape.positions}, q.options().dtype(at::kFloat));
    for_each_group<Forward>(shape, t, mask, rows_of(dropout));
    context->save_for_backward({q, k, v, t.output, t.log_sums, mask.first, mask.end});
    save_dropout(context, dropout);
    return t.output;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const AttentionShape shape(saved[0], saved[1]);
    const DropoutSite dropout = saved_dropout(context);
    const AttentionMask mask{saved[5], saved[6]};
    const at::Tensor d_output =
        gradients[0].stride(3) == 1 ? gradients[0] : gradients[0].contiguous();
    // The gradients lie as backward of the qkv projection reads them: a group's queries, its key,
    // its value.
    const auto all = at::empty({shape.samples, shape.positions, shape.groups,
                                shape.heads_per_group() + 2, shape.head_size},
                               saved[0].options())
                         .split_with_sizes({shape.heads_per_group(), 1, 1}, 3);
    const Backward::Tensors t{
        saved[0],
        saved[1],
        saved[2],
        saved[3],
        saved[4],
        d_output,
        heads_first(shape.heads == shape.groups
                        ? all[0].squeeze(3)
                        : at::empty({shape.samples, shape.positions, shape.heads, shape.head_size},
                                    saved[0].options())),
        heads_first(all[1].squeeze(3)),
        heads_first(all[2].squeeze(3))};
    for_each_group<Backward>(shape, t, mask, rows_of(dropout));
    return {t.d_q, t.d_k, t.d_v, {}, {}};
  }
};

}  // namespace

bool has_blocked_attention() {
  static const bool has = [] {
    if (!__builtin_cpu_supports("avx512bf16")) return false;
    const std::vector<Bf16> ones(kTile * kTile);
    std::vector<float> c(kTile * kTile);
    try {  // LibTorch throws where it has no such product
      multiply(kTile, kTile, ones.data(), kTile, ones.data(), kTile, c.data(), kTile, false);
      at::native::cpublas::brgemm_release();
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }();
  return has;
}

bool blocked_attention_suits(const at::Tensor& q, const at::Tensor& k) {
  return q.is_cpu() && q.scalar_type() == at::kBFloat16 && q.size(3) % 32 == 0 &&
         k.size(0) * k.size(1) >= at::get_num_threads() && has_blocked_attention();
}

at::Tensor blocked_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                             const AttentionMask& mask, const DropoutSite& dropout) {
  return BlockedAttentionFunction::apply(q, k, v, mask, dropout);
}

}  // namespace lmtrain

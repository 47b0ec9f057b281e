// What the blocked attention kernel is made of: tiles of queries and keys, and their products.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/native/CPUBlas.h>

#include "models/attention_mask.h"
#include "models/kernels/kernels.h"

// Matrix products are LibTorch's brgemm: C [M, N] in fp32 becomes, or grows by, A [M, K] times B
// [K, N]. B is stored in pairs, rows k and k+1 side by side, as [K / 2, N, 2]. Padded rows and keys
// are zero, and their results are not used.

namespace lmtrain {

using Bf16 = uint16_t;
inline constexpr int64_t kTile = kAttentionTile;

// Up to a whole tile.
inline int64_t padded_to_tile(int64_t positions) { return (positions + kTile - 1) / kTile * kTile; }

// Computes C = A B, or C += A B with `add`. C is [kTile, columns] with row stride `ldc`; A has row
// stride `lda`; B is stored in pairs with row stride `ldb`.
void multiply(int64_t columns, int64_t inner, const Bf16* a, int64_t lda, const Bf16* b,
              int64_t ldb, float* c, int64_t ldc, bool add);

struct AttentionShape {
  int64_t samples, heads, groups, positions, head_size;
  int64_t rows;  // positions, padded to tiles

  AttentionShape(const at::Tensor& q, const at::Tensor& k)
      : samples(q.size(0)),
        heads(q.size(1)),
        groups(k.size(1)),
        positions(q.size(2)),
        head_size(q.size(3)),
        rows(padded_to_tile(positions)) {}
  int64_t heads_per_group() const { return heads / groups; }
  size_t matrix() const { return static_cast<size_t>(rows * head_size); }
};

// Returns one head's [positions, head size] within a tensor.
HeadMatrix head_matrix(const at::Tensor& tensor, const AttentionShape& shape, int64_t sample,
                       int64_t head);
Bf16* head_rows(const at::Tensor& tensor, int64_t sample, int64_t head);

// Which keys the queries of one tile see.
class TileRanges {
 public:
  TileRanges(const AttentionMask& mask, int64_t sample, int64_t first_query, int64_t num_queries) {
    const int64_t at = sample * mask.end.size(1) + first_query;
    const int32_t* const first = mask.first.data_ptr<int32_t>() + at;
    const int32_t* const end = mask.end.data_ptr<int32_t>() + at;
    std::copy(first, first + num_queries, first_);
    std::copy(end, end + num_queries, end_);
    // Padding queries see what the last real query sees.
    std::fill(first_ + num_queries, first_ + kTile, first_[num_queries - 1]);
    std::fill(end_ + num_queries, end_ + kTile, end_[num_queries - 1]);
    begin_ = *std::min_element(first_, first_ + kTile) / kTile * kTile;
    stop_ = padded_to_tile(*std::max_element(end_, end_ + kTile));
    latest_first_ = *std::max_element(first_, first_ + kTile);
    earliest_end_ = *std::min_element(end_, end_ + kTile);
  }

  // Key tiles from begin to stop hold all keys that any of the queries sees.
  int64_t begin() const { return begin_; }
  int64_t stop() const { return stop_; }
  int32_t first(int64_t query) const { return first_[query]; }
  int32_t end(int64_t query) const { return end_[query]; }
  // Whether every query sees every key of the tile that begins at `key`.
  bool covers(int64_t key) const { return latest_first_ <= key && key + kTile <= earliest_end_; }
  const int32_t* firsts() const { return first_; }
  const int32_t* ends() const { return end_; }

 private:
  int32_t first_[kTile];
  int32_t end_[kTile];
  int64_t begin_, stop_, latest_first_, earliest_end_;
};

// Runs a worker on every group of heads that share keys. A worker keeps its buffers from group to
// group.
template <class Worker, class... Arguments>
void for_each_group(const AttentionShape& shape, const Arguments&... arguments) {
  at::parallel_for(0, shape.samples * shape.groups, 1, [&](int64_t begin, int64_t end) {
    Worker worker(shape, arguments...);
    for (int64_t i = begin; i < end; ++i) worker.run(i / shape.groups, i % shape.groups);
    at::native::cpublas::brgemm_release();
  });
}

}  // namespace lmtrain

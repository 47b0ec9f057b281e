#include "parallel/rank_sum.h"

#include <algorithm>
#include <array>

#include <ATen/ATen.h>

namespace lmtrain {
namespace {

// Elements are summed in blocks of this many, so that the accumulator stays in the first-level
// cache.
constexpr int64_t kBlock = 2048;

template <class T, class Accumulator, class Combine>
void reduce_all(const std::vector<const void*>& parts, int64_t count, T* output, Combine combine) {
  std::array<Accumulator, kBlock> sum;
  for (int64_t at = 0; at < count; at += kBlock) {
    const auto n = static_cast<size_t>(std::min(kBlock, count - at));
    for (size_t p = 0; p < parts.size(); ++p) {
      const T* from = static_cast<const T*>(parts[p]) + at;
      for (size_t i = 0; i < n; ++i) {
        const auto value = static_cast<Accumulator>(from[i]);
        sum[i] = p == 0 ? value : combine(sum[i], value);
      }
    }
    for (size_t i = 0; i < n; ++i) output[at + static_cast<int64_t>(i)] = static_cast<T>(sum[i]);
  }
}

template <class T, class Accumulator>
void reduce_typed(ReduceOp op, const std::vector<const void*>& parts, int64_t count, void* output) {
  T* const to = static_cast<T*>(output);
  if (op == ReduceOp::kSum) {
    reduce_all<T, Accumulator>(parts, count, to,
                               [](Accumulator a, Accumulator b) { return a + b; });
  } else {
    reduce_all<T, Accumulator>(parts, count, to,
                               [](Accumulator a, Accumulator b) { return std::max(a, b); });
  }
}

}  // namespace

void rank_reduce(at::ScalarType type, ReduceOp op, const std::vector<const void*>& parts,
                 int64_t count, void* output) {
  switch (type) {
    case at::kFloat:
      return reduce_typed<float, float>(op, parts, count, output);
    case at::kDouble:
      return reduce_typed<double, double>(op, parts, count, output);
    case at::kBFloat16:
      return reduce_typed<at::BFloat16, float>(op, parts, count, output);
    case at::kLong:
      return reduce_typed<int64_t, int64_t>(op, parts, count, output);
    default:
      TORCH_CHECK(false, "reductions take fp32, fp64, bf16 and int64, not ", type);
  }
}

}  // namespace lmtrain

#include "parallel/parameter_spec.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "base/philox.h"

namespace lmtrain {

std::vector<int64_t> ParameterSpec::local_shape() const {
  std::vector<int64_t> shape = padded_shape;
  if (shard_dim >= 0) shape[static_cast<size_t>(shard_dim)] /= num_shards;
  return shape;
}

int64_t ParameterSpec::local_numel() const { return c10::multiply_integers(local_shape()); }

int64_t ParameterSpec::num_real_rows() const {
  const int64_t rows = local_shape()[0];
  const int64_t before = shard_dim == 0 ? shard_index * rows : 0;
  return std::clamp<int64_t>(logical_shape[0] - before, 0, rows);
}

at::Tensor ParameterSpec::local_part(const at::Tensor& logical) const {
  if (shard_dim > 0) {
    TORCH_CHECK(padded_shape == logical_shape, name, " is padded but not cut by rows");
    const int64_t width = local_shape()[static_cast<size_t>(shard_dim)];
    return logical.narrow(shard_dim, shard_index * width, width);
  }
  const int64_t rows = local_shape()[0];
  const int64_t real = num_real_rows();
  const at::Tensor part = logical.narrow(0, std::min(shard_index * rows, logical.size(0)), real);
  if (real == rows) return part;
  at::Tensor padded = at::zeros(local_shape(), logical.options());
  padded.narrow(0, 0, real).copy_(part);
  return padded;
}

at::Tensor ParameterSpec::logical_from(const std::vector<at::Tensor>& parts) const {
  const at::Tensor whole = parts.size() == 1 ? parts[0] : at::cat(parts, std::max(shard_dim, 0));
  return whole.narrow(0, 0, logical_shape[0]);
}

void draw_normal(const ParameterSpec& spec, uint64_t seed, int64_t begin, at::Tensor& out) {
  const std::vector<int64_t> local = spec.local_shape();
  const auto dim = static_cast<size_t>(std::max(spec.shard_dim, 0));
  int64_t inner = 1;
  for (size_t d = dim + 1; d < local.size(); ++d) inner *= local[d];
  const int64_t run = local[dim] * inner;  // contiguous in the logical tensor
  const int64_t full_run = spec.padded_shape[dim] * inner;
  const int64_t logical = c10::multiply_integers(spec.logical_shape);
  const PhiloxKey key = purpose_key(seed, "init " + spec.name);
  // Numbers are drawn piece by piece: a whole table of doubles would be the largest tensor of the
  // process.
  constexpr int64_t kPiece = 1 << 20;
  constexpr int64_t kGrain = 1 << 14;
  const at::Tensor values = at::empty({std::min(kPiece, out.numel())}, at::kDouble);
  double* const to = values.data_ptr<double>();
  const int64_t end = begin + out.numel();
  for (int64_t first = begin; first < end; first += kPiece) {
    const int64_t count = std::min(kPiece, end - first);
    at::parallel_for(first, first + count, kGrain, [&](int64_t from_element, int64_t to_element) {
      for (int64_t at = from_element; at < to_element;) {
        const int64_t outer = at / run;
        const int64_t stop = std::min(to_element, (outer + 1) * run);
        const int64_t from = outer * full_run + spec.shard_index * run + (at - outer * run);
        const int64_t drawn = std::clamp<int64_t>(logical - from, 0, stop - at);
        fill_normal(key, from, drawn, to + at - first);
        std::fill(to + at - first + drawn, to + stop - first, 0.0);  // padded rows
        at = stop;
      }
    });
    out.narrow(0, first - begin, count).copy_(values.narrow(0, 0, count).mul_(spec.init_std));
  }
}

}  // namespace lmtrain

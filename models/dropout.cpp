#include "models/dropout.h"

#include <bit>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "models/cuda_kernels.h"
#include "models/functions.h"

namespace lmtrain {
namespace {

template <class Bits>
Bits scale_bits(double scale) {
  if constexpr (sizeof(Bits) == 2) return at::BFloat16(static_cast<float>(scale)).x;
  if constexpr (sizeof(Bits) == 4) return std::bit_cast<uint32_t>(static_cast<float>(scale));
  if constexpr (sizeof(Bits) == 8) return std::bit_cast<uint64_t>(scale);
}

template <class Bits>
void fill_all(const DropoutRows& rows, const DropoutContext& context, const at::Tensor& out) {
  const int64_t features = out.size(-1);
  const bool is_rows = out.dim() == 2;
  const int64_t positions = is_rows ? context.positions : out.size(-2);
  const int64_t first_row = is_rows ? context.first_row : 0;
  const int64_t heads = out.dim() == 4 ? out.size(1) : 1;
  auto* const to = static_cast<Bits*>(out.data_ptr());
  at::parallel_for(0, out.numel() / features, 16, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) {
      const int64_t row = first_row + at;
      rows.fill(row / positions / heads, row / positions % heads, row % positions, features,
                to + at * features);
    }
  });
}

// Returns the factor of each element of x. x: rows [n, features], [samples, positions, features] or
// [samples, heads, positions, features].
at::Tensor factors(const at::Tensor& x, const DropoutSite& site) {
  const DropoutRows rows(site);
  const at::Tensor out = at::empty(x.sizes(), x.options());
  switch (x.scalar_type()) {
    case at::kBFloat16:
      fill_all<uint16_t>(rows, site.context, out);
      break;
    case at::kFloat:
      fill_all<uint32_t>(rows, site.context, out);
      break;
    default:
      fill_all<uint64_t>(rows, site.context, out);
  }
  return out;
}

at::Tensor dropped(const at::Tensor& x, const DropoutSite& site) {
  return x.is_cuda() ? cuda_dropout(x, site) : x * factors(x, site);
}

// Backward draws the mask again; it is not kept.
struct DropoutFunction : torch::autograd::Function<DropoutFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const DropoutSite& site) {
    save_dropout(context, site);
    return dropped(x, site);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {dropped(gradients[0], saved_dropout(context)), {}};
  }
};

}  // namespace

PhiloxKey dropout_key(const DropoutSite& site) {
  return purpose_key(
      site.context.seed, "dropout",
      static_cast<uint64_t>(site.number) << 40 | static_cast<uint64_t>(site.context.step));
}

DropoutRows::DropoutRows(const DropoutSite& site)
    : site_(site), rate_(site.context.probability), key_(dropout_key(site)) {}

template <class Bits>
void DropoutRows::fill(int64_t sample, int64_t head, int64_t row, int64_t count,
                       Bits* factors) const {
  const auto global = static_cast<uint64_t>(site_.context.samples[static_cast<size_t>(sample)]);
  const PhiloxKey key = {key_.k0, key_.k1 ^ static_cast<uint32_t>(global >> 32)};
  fill_dropout_row<Bits>(key, static_cast<uint32_t>(row),
                         static_cast<uint32_t>(site_.first_head + head),
                         static_cast<uint32_t>(global), 0, count, rate_.threshold,
                         scale_bits<Bits>(rate_.scale), factors);
}

template void DropoutRows::fill(int64_t, int64_t, int64_t, int64_t, uint16_t*) const;
template void DropoutRows::fill(int64_t, int64_t, int64_t, int64_t, uint32_t*) const;
template void DropoutRows::fill(int64_t, int64_t, int64_t, int64_t, uint64_t*) const;

at::Tensor dropout(const at::Tensor& x, const DropoutContext& context, int64_t site) {
  if (context.probability == 0.0) return x;
  return DropoutFunction::apply(x, DropoutSite{context, site});
}

at::Tensor attention_dropout(const at::Tensor& probabilities, const DropoutSite& site) {
  return DropoutFunction::apply(probabilities, site);
}

}  // namespace lmtrain

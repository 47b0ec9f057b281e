#include "models/dropout.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <bit>

#include "base/philox.h"
#include "models/functions.h"

namespace lmtrain {
namespace {

struct Mask {
  DropoutContext context;
  int64_t site;
  int64_t first_head;

  // 0 or the scale for each element of x: [samples, rows, features] or [samples, heads, rows, features].
  at::Tensor factors(const at::Tensor& x) const;

  template <class Bits>
  void fill(Bits* out, const at::Tensor& x, Bits kept, uint32_t threshold) const;
};

template <class Bits>
void Mask::fill(Bits* out, const at::Tensor& x, Bits kept, uint32_t threshold) const {
  const int64_t features = x.size(-1);
  const int64_t rows = x.size(-2);
  const int64_t heads = x.dim() == 4 ? x.size(1) : 1;
  const PhiloxKey base = purpose_key(context.seed, "dropout",
                                     static_cast<uint64_t>(site) << 40 | static_cast<uint64_t>(context.step));
  at::parallel_for(0, x.numel() / features, 16, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) {
      const int64_t row = at % rows;
      const int64_t head = first_head + at / rows % heads;
      const auto sample = static_cast<uint64_t>(context.samples[static_cast<size_t>(at / rows / heads)]);
      const PhiloxKey key = {base.k0, base.k1 ^ static_cast<uint32_t>(sample >> 32)};
      fill_dropout_row<Bits>(key, static_cast<uint32_t>(row), static_cast<uint32_t>(head),
                             static_cast<uint32_t>(sample), 0, features, threshold, kept, out + at * features);
    }
  });
}

at::Tensor Mask::factors(const at::Tensor& x) const {
  const DropoutRate rate(context.probability);
  const at::Tensor out = at::empty(x.sizes(), x.options().device(at::kCPU));
  const auto scale = static_cast<float>(rate.scale);
  switch (x.scalar_type()) {
    case at::kBFloat16:
      fill<uint16_t>(static_cast<uint16_t*>(out.data_ptr()), x, at::BFloat16(scale).x, rate.threshold);
      break;
    case at::kFloat:
      fill<uint32_t>(static_cast<uint32_t*>(out.data_ptr()), x, std::bit_cast<uint32_t>(scale), rate.threshold);
      break;
    default:
      fill<uint64_t>(static_cast<uint64_t*>(out.data_ptr()), x, std::bit_cast<uint64_t>(rate.scale),
                     rate.threshold);
  }
  return out.to(x.device());
}

void save(AutogradContext* to, const Mask& mask) {
  to->saved_data["probability"] = mask.context.probability;
  to->saved_data["seed"] = static_cast<int64_t>(mask.context.seed);
  to->saved_data["step"] = mask.context.step;
  to->saved_data["samples"] = mask.context.samples;
  to->saved_data["site"] = mask.site;
  to->saved_data["first_head"] = mask.first_head;
}

Mask saved_mask(AutogradContext* from) {
  auto& data = from->saved_data;
  return {{data["probability"].toDouble(), static_cast<uint64_t>(data["seed"].toInt()), data["step"].toInt(),
           data["samples"].toIntVector()},
          data["site"].toInt(),
          data["first_head"].toInt()};
}

// Draws the mask again in backward rather than keeping it.
struct DropoutFunction : torch::autograd::Function<DropoutFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Mask& mask) {
    save(context, mask);
    return x * mask.factors(x);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {gradients[0] * saved_mask(context).factors(gradients[0]), {}};
  }
};

}  // namespace

at::Tensor dropout(const at::Tensor& x, const DropoutContext& context, int64_t site) {
  return attention_dropout(x, context, site, 0);
}

at::Tensor attention_dropout(const at::Tensor& probabilities, const DropoutContext& context, int64_t site,
                             int64_t first_head) {
  if (context.probability == 0.0) return probabilities;
  return DropoutFunction::apply(probabilities, Mask{context, site, first_head});
}

}  // namespace lmtrain

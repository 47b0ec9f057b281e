#include "models/rotary.h"

#include <cmath>
#include <numbers>

#include <ATen/ATen.h>

#include "models/functions.h"

namespace lmtrain {
namespace {

// The frequency under Llama 3.1's rule: long wavelengths are stretched, short ones are not, and
// between the two thresholds the two are mixed in proportion.
double stretched_as_llama3(double frequency, const RopeConfig& config) {
  const double turns =
      static_cast<double>(config.original_positions) * frequency / (2.0 * std::numbers::pi);
  if (turns < config.low_frequency_factor) return frequency / config.factor;
  if (turns > config.high_frequency_factor) return frequency;
  const double share = (turns - config.low_frequency_factor) /
                       (config.high_frequency_factor - config.low_frequency_factor);
  return (1.0 - share) * frequency / config.factor + share * frequency;
}

// Views a table as [samples, positions, 1, .., head size / 2], which broadcasts over x.
at::Tensor beside(const at::Tensor& table, const at::Tensor& x) {
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[0] = table.size(0);
  shape[1] = table.size(1);
  shape.back() = table.size(2);
  return table.view(shape);
}

at::Tensor turned(const at::Tensor& x, const at::Tensor& cosine, const at::Tensor& sine) {
  const auto halves = x.to(cosine.scalar_type()).chunk(2, -1);
  const at::Tensor c = beside(cosine, x);
  const at::Tensor s = beside(sine, x);
  return at::cat({halves[0] * c - halves[1] * s, halves[1] * c + halves[0] * s}, -1)
      .to(x.scalar_type());
}

struct RotateFunction : torch::autograd::Function<RotateFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cosine,
                            const at::Tensor& sine) {
    context->save_for_backward({cosine, sine});
    return turned(x, cosine, sine);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list tables = context->get_saved_variables();
    return {turned(gradients[0], tables[0], tables[1].neg()), {}, {}};
  }
};

}  // namespace

at::Tensor rotary_frequencies(const RopeConfig& config, int64_t head_size) {
  const int64_t pairs = head_size / 2;
  at::Tensor frequencies = at::empty({pairs}, at::kDouble);
  for (int64_t i = 0; i < pairs; ++i) {
    double frequency =
        std::pow(config.theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_size));
    if (config.scaling == RopeScaling::kLinear) frequency /= config.factor;
    if (config.scaling == RopeScaling::kLlama3) frequency = stretched_as_llama3(frequency, config);
    frequencies.data_ptr<double>()[i] = frequency;
  }
  return frequencies;
}

RotaryTables rotary_tables(const at::Tensor& frequencies, const at::Tensor& positions,
                           at::ScalarType compute) {
  const at::Tensor angles = positions.to(at::kDouble).unsqueeze(-1) * frequencies;
  const auto type = compute == at::kDouble ? at::kDouble : at::kFloat;
  return {angles.cos().to(type), angles.sin().to(type)};
}

at::Tensor rotate(const at::Tensor& x, const RotaryTables& tables) {
  return RotateFunction::apply(x, tables.cosine, tables.sine);
}

}  // namespace lmtrain

#include "trainer/adamw.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "parallel/parameter_kernels.h"

namespace lmtrain {
namespace {

void update_slice(const ParameterUnit& unit, int64_t begin, int64_t length,
                  const OptimizerConfig& config, double lr, double weight_decay,
                  const at::Tensor& num_updates, const c10::optional<at::Tensor>& divisor) {
  if (length == 0) return;
  const auto slice = [&](const at::Tensor& buffer) { return buffer.narrow(0, begin, length); };
  at::Tensor master = slice(unit.master());
  at::Tensor gradient = slice(unit.gradient());
  at::Tensor exp_avg = slice(unit.exp_avg());
  at::Tensor exp_avg_sq = slice(unit.exp_avg_sq());
  at::_fused_adamw_({master}, {gradient}, {exp_avg}, {exp_avg_sq}, {}, {num_updates}, lr,
                    config.betas[0], config.betas[1], weight_decay, config.eps, /*amsgrad=*/false,
                    /*maximize=*/false, divisor);
}

// Sum of squares of one tensor in double, over fixed stretches so that threads do not matter.
double sum_of_squares(const at::Tensor& tensor) {
  if (tensor.scalar_type() == at::kDouble) return tensor.square().sum().item<double>();
  constexpr int64_t kStretch = 1 << 14;
  constexpr int kLanes = 16;
  const float* const values = tensor.data_ptr<float>();
  const int64_t numel = tensor.numel();
  std::vector<double> sums(static_cast<size_t>((numel + kStretch - 1) / kStretch));
  at::parallel_for(0, static_cast<int64_t>(sums.size()), 4, [&](int64_t first, int64_t last) {
    for (int64_t s = first; s < last; ++s) {
      const int64_t end = std::min(numel, (s + 1) * kStretch);
      double lanes[kLanes] = {};
      int64_t i = s * kStretch;
      for (; i + kLanes <= end; i += kLanes) {
        for (int lane = 0; lane < kLanes; ++lane) {
          const auto x = static_cast<double>(values[i + lane]);
          lanes[lane] += x * x;
        }
      }
      for (; i < end; ++i)
        lanes[0] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
      for (const double lane : lanes) sums[static_cast<size_t>(s)] += lane;
    }
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

// Sums of squares over all units, with one wait for the device. Padding of the buffers is zero.
double sum_on_device(const ParameterStore& store,
                     const std::function<at::Tensor(const ParameterUnit&)>& of) {
  std::vector<at::Tensor> sums;
  for (const auto& unit : store.units()) sums.push_back(cuda_sum_of_squares(of(*unit)));
  return at::cat(sums).sum().item<double>();
}

}  // namespace

void adamw_update(ParameterStore& store, const OptimizerConfig& config, double lr,
                  int64_t num_updates, double gradient_scale) {
  const auto options = at::TensorOptions().dtype(at::kFloat).device(store.device());
  const at::Tensor count = at::full({}, static_cast<double>(num_updates), options);
  c10::optional<at::Tensor> divisor;
  if (gradient_scale != 1.0 && store.master_type() == at::kFloat) {
    divisor = at::full({}, 1.0 / gradient_scale, options);
  }
  for (const auto& unit : store.units()) {
    if (gradient_scale != 1.0 && !divisor)
      unit->gradient().mul_(gradient_scale);  // the kernel's divisor is fp32
    const int64_t decayed = unit->num_decayed();
    update_slice(*unit, 0, decayed, config, lr, config.weight_decay, count, divisor);
    update_slice(*unit, decayed, unit->numel() - decayed, config, lr, 0.0, count, divisor);
  }
  store.refresh_compute();
}

bool weights_are_finite(const ParameterStore& store) {
  if (store.device().is_cuda())
    return std::isfinite(sum_on_device(store, [](const auto& unit) { return unit.master(); }));
  return std::ranges::all_of(store.units(), [](const auto& unit) {
    return std::isfinite(sum_of_squares(unit->master()));
  });
}

double gradient_norm(const ParameterStore& store) {
  if (store.device().is_cuda())
    return std::sqrt(sum_on_device(store, [](const auto& unit) { return unit.gradient(); }));
  double total = 0;
  for (const Parameter* parameter : store.parameters())
    total += sum_of_squares(parameter->gradient());
  return std::sqrt(total);
}

}  // namespace lmtrain

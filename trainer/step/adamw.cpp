#include "trainer/step/adamw.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace lmtrain {
namespace {

// Elements [begin, begin + length) of the rank's shard.
void update_slice(const ParameterUnit& unit, int64_t begin, int64_t length,
                  const OptimizerConfig& config, double lr, double weight_decay,
                  const at::Tensor& num_updates, const c10::optional<at::Tensor>& divisor) {
  if (length == 0) return;
  const auto slice = [&](const at::Tensor& buffer) { return buffer.narrow(0, begin, length); };
  at::Tensor master = slice(unit.master());
  at::Tensor gradient = slice(unit.reduced_gradient());
  at::Tensor exp_avg = slice(unit.exp_avg());
  at::Tensor exp_avg_sq = slice(unit.exp_avg_sq());
  at::_fused_adamw_({master}, {gradient}, {exp_avg}, {exp_avg_sq}, {}, {num_updates}, lr,
                    config.betas[0], config.betas[1], weight_decay, config.eps, /*amsgrad=*/false,
                    /*maximize=*/false, divisor);
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
      unit->reduced_gradient().mul_(gradient_scale);  // the kernel's divisor is fp32
    const int64_t decayed =
        std::clamp<int64_t>(unit->num_decayed() - unit->shard_begin(), 0, unit->shard_numel());
    update_slice(*unit, 0, decayed, config, lr, config.weight_decay, count, divisor);
    update_slice(*unit, decayed, unit->shard_numel() - decayed, config, lr, 0.0, count, divisor);
  }
  store.refresh_compute();
}

}  // namespace lmtrain

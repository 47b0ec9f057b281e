// AdamW (Loshchilov and Hutter, 2019) over the flat buffers of a store, through ATen's fused
// kernel. Its state is both moments, "exp_avg" and "exp_avg_sq", of each parameter.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/config/optimizer_config.h"
#include "trainer/step/optimizer.h"

namespace lmtrain {

class AdamW : public Optimizer {
 public:
  static constexpr auto kKeys =
      std::to_array<std::string_view>({"lr", "betas", "eps", "weight_decay", "layer_decay"});
  explicit AdamW(OptimizerConfig config) : config_(std::move(config)) {}

  std::vector<std::string> state_of(const ParameterSpec& spec) const override;
  Granularity granularity_of(const ParameterSpec& spec) const override;
  double largest_update(const ParameterSpec& spec, const Rate& rate) const override;
  void update(ParameterStore& store, Mesh& mesh, const UpdateStep& step) const override;

 private:
  OptimizerConfig config_;
};

// The state that AdamW keeps for a parameter.
std::vector<std::string> adamw_state();

// Updates master weights and moments in place with decoupled decay, of the parameters that have
// AdamW's state. `num_updates` counts this one (1 for the first). `gradient_scale` multiplies every
// gradient (clipping). ParameterStore::refresh_compute() is to follow.
void adamw_update(const ParameterStore& store, const OptimizerConfig& config, double lr,
                  int64_t num_updates, double gradient_scale);

}  // namespace lmtrain

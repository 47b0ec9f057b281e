// Muon (Jordan et al., 2024): the momentum of each hidden matrix, orthogonalized; all other
// parameters by AdamW with its own rate. docs/optimizers.md has the formulas.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/config/optimizer_config.h"
#include "trainer/step/optimizer.h"

namespace lmtrain {

// Its state is "momentum_buffer" of the parameters that consist of hidden matrices, and AdamW's of
// the others.
class Muon : public Optimizer {
 public:
  static constexpr auto kKeys = std::to_array<std::string_view>(
      {"lr", "betas", "eps", "weight_decay", "layer_decay", "muon."});
  explicit Muon(OptimizerConfig config) : config_(std::move(config)) {}

  std::vector<std::string> state_of(const ParameterSpec& spec) const override;
  Granularity granularity_of(const ParameterSpec& spec) const override;
  double largest_update(const ParameterSpec& spec, const Rate& rate) const override;
  double matrix_flops(const ParameterSpec& spec) const override;
  void update(ParameterStore& store, Mesh& mesh, const UpdateStep& step) const override;

 private:
  // Moves this rank's shard of the momentum; returns its elements of what is orthogonalized, flat.
  at::Tensor direction(const Parameter& parameter, double gradient_scale) const;
  // What is subtracted from a logical tensor's weights, of that shape. Products are computed in
  // `type`.
  at::Tensor change(const ParameterSpec& spec, const at::Tensor& direction, double lr,
                    at::ScalarType type) const;

  OptimizerConfig config_;
};

}  // namespace lmtrain

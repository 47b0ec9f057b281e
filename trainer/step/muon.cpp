#include "trainer/step/muon.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "trainer/step/adamw.h"
#include "trainer/step/matrices.h"
#include "trainer/step/orthogonalize.h"
#include "trainer/step/whole_tensors.h"

namespace lmtrain {
namespace {

constexpr char kMomentum[] = "momentum_buffer";

// What the rate of a matrix is multiplied by, as in torch.optim.Muon.
double adjustment(AdjustLr function, int64_t rows, int64_t columns) {
  const auto a = static_cast<double>(rows);
  const auto b = static_cast<double>(columns);
  if (function == AdjustLr::kOriginal) return std::sqrt(std::max(1.0, a / b));
  return 0.2 * std::sqrt(std::max(a, b));
}

// bf16 is exact enough for directions (Jordan et al., 2024). GPUs compute in it where the model
// does; CPUs, on which it is no faster, compute in the master type.
at::ScalarType type_of_products(const ParameterStore& store) {
  return store.device().is_cuda() ? store.compute_type() : store.master_type();
}

}  // namespace

std::vector<std::string> Muon::state_of(const ParameterSpec& spec) const {
  if (granularity_of(spec) == Granularity::kMatrix) return {kMomentum};
  return adamw_state();
}

Granularity Muon::granularity_of(const ParameterSpec& spec) const {
  return spec.matrices.empty() ? Granularity::kElement : Granularity::kMatrix;
}

// No element of a matrix is larger than its largest singular value.
double Muon::largest_update(const ParameterSpec& spec, const Rate& rate) const {
  if (spec.is_frozen) return 0.0;
  if (granularity_of(spec) == Granularity::kElement) return rate(config_.lr) * spec.rate;
  double largest = 0;
  for (const MatrixSlice& slice : spec.matrices) {
    const auto [rows, columns] = size_of(spec, slice);
    largest = std::max(largest, adjustment(config_.muon.adjust_lr_fn, rows, columns));
  }
  return rate(config_.muon.lr) * spec.rate * largest * kLargestSingularValue;
}

double Muon::matrix_flops(const ParameterSpec& spec) const {
  double flops = 0;
  for (const MatrixSlice& slice : spec.matrices) {
    const auto [rows, columns] = size_of(spec, slice);
    flops += orthogonalize_flops(rows, columns, config_.muon.ns_steps);
  }
  return flops;
}

void Muon::update(ParameterStore& store, Mesh& mesh, const UpdateStep& step) const {
  adamw_update(store, config_, step.rate(config_.lr), step.number, step.gradient_scale);
  const double lr = step.rate(config_.muon.lr);
  const at::ScalarType type = type_of_products(store);
  const auto work = [&](const ParameterSpec& spec, const at::Tensor& direction) {
    return change(spec, direction, lr * spec.rate, type);
  };
  for (const OwnedTensors& group : owned_tensors(store, *this, mesh)) {
    std::vector<at::Tensor> directions;
    for (const OwnedTensor& owned : group)
      directions.push_back(direction(*owned.parameter, step.gradient_scale));
    const std::vector<at::Tensor> changes = on_owners(group, directions, store, mesh, work);
    for (size_t i = 0; i < group.size(); ++i) {
      at::Tensor weights = elements_of(*group[i].parameter, kWeights);
      const double own_lr = lr * group[i].parameter->spec().rate;
      weights.mul_(1.0 - own_lr * config_.muon.weight_decay).sub_(changes[i]);
    }
  }
}

// Each operation rounds every element once, whatever part of the tensor it is called with: all
// layouts of the data axis get the same bits, which at::lerp does not promise.
at::Tensor Muon::direction(const Parameter& parameter, double gradient_scale) const {
  const double momentum = config_.muon.momentum;
  const at::Tensor gradient =
      elements_of(parameter, kGradient).mul(gradient_scale).mul_(1.0 - momentum);
  at::Tensor average = elements_of(parameter, kMomentum);
  average.mul_(momentum).add_(gradient);
  if (!config_.muon.nesterov) return average.clone();
  return average.mul(momentum).add_(gradient);
}

at::Tensor Muon::change(const ParameterSpec& spec, const at::Tensor& direction, double lr,
                        at::ScalarType type) const {
  at::Tensor changes = at::empty_like(direction);
  for (const MatrixSlice& slice : spec.matrices) {
    const at::Tensor matrix = matrix_of(direction, slice);
    const at::Tensor orthogonal = orthogonalized(matrix, config_.muon.ns_steps, type);
    const double factor =
        lr * adjustment(config_.muon.adjust_lr_fn, matrix.size(0), matrix.size(1));
    at::Tensor place = changes.narrow(slice.dim, slice.begin, slice.count);
    place.copy_(orthogonal.to(changes.scalar_type()).mul_(factor).reshape(place.sizes()));
  }
  return changes;
}

}  // namespace lmtrain

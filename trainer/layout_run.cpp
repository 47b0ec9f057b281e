#include "trainer/layout_run.h"

#include <cmath>

#include <ATen/ATen.h>

#include "parallel/logical_tensors.h"

namespace lmtrain {
namespace {

std::map<std::string, at::Tensor> logical_tensors(const ParameterStore& store, StateBuffer buffer,
                                                  Mesh& mesh) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& unit : store.units()) {
    for_each_logical(*unit, buffer, store.sharding(), mesh.tensor(),
                     [&](const Parameter& parameter, const at::Tensor& logical) {
                       if (mesh.host_world().rank() != 0) return;
                       tensors[parameter.spec().name] = logical.to(at::kCPU, /*non_blocking=*/false,
                                                                   /*copy=*/true);
                     });
  }
  return tensors;
}

// The larger one; not a number once it was that.
double largest(double a, double b) { return std::isnan(a) || a > b ? a : b; }

double largest_difference(const std::map<std::string, at::Tensor>& a, const std::string& name,
                          const at::Tensor& b) {
  const auto found = a.find(name);
  if (found == a.end() || found->second.sizes() != b.sizes()) return std::nan("");
  return b.numel() == 0 ? 0.0 : found->second.sub(b).abs().max().item<double>();
}

}  // namespace

LayoutRun run_layout(const Config& config, const LayoutRunInput& input, Mesh& mesh) {
  PhaseTracker phases;
  Trainer trainer(config, mesh, input.device, input.num_tokens, phases);
  LayoutRun run;
  for (int64_t step = 0; step < input.num_steps; ++step)
    run.steps.push_back(trainer.train_step(*input.train, step, {}));
  run.gradients = logical_tensors(trainer.store(), StateBuffer::kGradient, mesh);
  run.weights = logical_tensors(trainer.store(), StateBuffer::kWeights, mesh);
  if (input.validation != nullptr)
    run.evaluation = trainer.evaluate(*input.validation, input.num_validation_samples);
  return run;
}

ReversedLoader::ReversedLoader(const Loader& inner, int64_t global_batch_size)
    : Loader(inner.sequence_length(), SampleOrder::kAsInFile, 0),
      inner_(inner),
      global_batch_size_(global_batch_size) {
  set_num_samples(inner.num_samples());
}

void ReversedLoader::fill_row(Batch& batch, size_t row, int64_t index) const {
  const int64_t first = index / global_batch_size_ * global_batch_size_;
  const int64_t other = first + global_batch_size_ - 1 - (index - first);
  batch.sample_indices[row] = other;  // dropout goes with the sample
  inner_.fill_row(batch, row, other);
}

LayoutDifference difference(const LayoutRun& a, const LayoutRun& b) {
  LayoutDifference d;
  for (size_t i = 0; i < a.steps.size(); ++i) {
    d.loss = largest(d.loss, std::abs(a.steps[i].loss - b.steps[i].loss));
    d.loss = largest(d.loss, std::abs(a.steps[i].sentence_loss - b.steps[i].sentence_loss));
    d.is_same_data = d.is_same_data && a.steps[i].data_hash == b.steps[i].data_hash;
  }
  d.loss = largest(d.loss, std::abs(a.evaluation.loss - b.evaluation.loss));
  for (const auto& [name, weight] : b.weights) {
    const LayoutDifference::OfTensor tensor = {
        name, largest_difference(a.gradients, name, b.gradients.at(name)),
        largest_difference(a.weights, name, weight)};
    d.gradient = largest(d.gradient, tensor.gradient);
    d.weight = largest(d.weight, tensor.weight);
    d.tensors.push_back(tensor);
  }
  return d;
}

}  // namespace lmtrain

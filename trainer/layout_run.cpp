#include "trainer/layout_run.h"

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/text.h"
#include "data/permutation.h"
#include "parallel/logical_tensors.h"

namespace lmtrain {
namespace {

NamedTensors logical_tensors(const ParameterStore& store, StateBuffer buffer, Mesh& mesh) {
  NamedTensors tensors;
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

double largest_value(const at::Tensor& tensor) {
  return tensor.numel() == 0 ? 0.0 : tensor.abs().max().item<double>();
}

double largest_difference(const NamedTensors& a, const std::string& name, const at::Tensor& b) {
  const auto found = a.find(name);
  if (found == a.end() || found->second.sizes() != b.sizes()) return std::nan("");
  return largest_value(found->second.sub(b));
}

}  // namespace

LayoutRun run_layout(const Config& config, const LayoutRunInput& input, Mesh& mesh) {
  PhaseTracker phases;
  Trainer trainer(config, mesh, input.device, input.num_tokens, phases);
  if (input.load_weights) {
    input.load_weights(trainer.store());
    trainer.store().refresh_compute();
  }
  LayoutRun run;
  for (int64_t step = 0; step < input.num_steps; ++step) {
    run.steps.push_back(trainer.train_step(*input.train, step, {}));
    if (step + input.num_gradient_steps >= input.num_steps)
      run.gradients.push_back(logical_tensors(trainer.store(), StateBuffer::kGradient, mesh));
  }
  run.weights = logical_tensors(trainer.store(), StateBuffer::kWeights, mesh);
  if (input.validation != nullptr)
    run.evaluation = trainer.evaluate(*input.validation, input.num_validation_samples);
  return run;
}

PermutedLoader::PermutedLoader(const Loader& inner, int64_t global_batch_size, uint64_t seed)
    : Loader(inner.sequence_length(), SampleOrder::kAsInFile, 0),
      inner_(inner),
      global_batch_size_(global_batch_size),
      seed_(seed) {
  set_num_samples(inner.num_samples());
}

void PermutedLoader::fill_row(Batch& batch, size_t row, int64_t index) const {
  const int64_t step = index / global_batch_size_;
  const int64_t other = step * global_batch_size_ +
                        Permutation(global_batch_size_, seed_,
                                    static_cast<uint64_t>(step))(index % global_batch_size_);
  batch.sample_indices[row] = other;  // dropout goes with the sample
  inner_.fill_row(batch, row, other);
}

LayoutDifference difference(const LayoutRun& a, const LayoutRun& b) {
  LayoutDifference d;
  for (size_t i = 0; i < a.steps.size(); ++i) {
    d.loss = largest(d.loss, std::abs(a.steps[i].loss - b.steps[i].loss));
    d.loss = largest(d.loss, std::abs(a.steps[i].sentence_loss - b.steps[i].sentence_loss));
    d.loss_size = largest(d.loss_size, std::abs(b.steps[i].loss));
    d.is_same_data = d.is_same_data && a.steps[i].data_hash == b.steps[i].data_hash;
  }
  d.loss = largest(d.loss, std::abs(a.evaluation.loss - b.evaluation.loss));
  for (const auto& [name, weight] : b.weights) {
    LayoutDifference::OfTensor tensor = {name, 0, largest_difference(a.weights, name, weight)};
    d.weight_size = largest(d.weight_size, largest_value(weight));
    for (size_t i = 0; i < b.gradients.size(); ++i) {
      d.gradient_size = largest(d.gradient_size, largest_value(b.gradients[i].at(name)));
      tensor.gradient = largest(
          tensor.gradient, largest_difference(a.gradients.at(i), name, b.gradients[i].at(name)));
    }
    d.gradient = largest(d.gradient, tensor.gradient);
    d.weight = largest(d.weight, tensor.weight);
    d.tensors.push_back(tensor);
  }
  return d;
}

namespace {

LayoutRun run_alone(const Config& config, const LayoutRunInput& input) {
  const std::unique_ptr<Communicator> group = make_single_communicator();
  Mesh mesh(*group, *group, 1);
  return run_layout(config, input, mesh);
}

// A micro-batch size that takes other samples together than `config` does, the `number`th of those
// that are not much larger.
int64_t other_micro_batch(const TrainConfig& train, int number) {
  std::vector<int64_t> sizes;
  const int64_t most = std::max<int64_t>(4, 2 * train.micro_batch_size);
  for (int64_t size = 1; size <= std::min(most, train.global_batch_size); ++size) {
    if (train.global_batch_size % size == 0 && size != train.micro_batch_size)
      sizes.push_back(size);
  }
  if (sizes.empty()) return train.micro_batch_size;
  return sizes[sizes.size() - 1 - static_cast<size_t>(number) % sizes.size()];
}

LayoutRun run_permuted(Config config, const LayoutRunInput& input, int number) {
  const PermutedLoader permuted(*input.train, config.train.global_batch_size,
                                static_cast<uint64_t>(number));
  config.train.micro_batch_size = other_micro_batch(config.train, number);
  LayoutRunInput other = input;
  other.train = &permuted;
  return run_alone(config, other);
}

// Hands what difference() reads of `run` from rank `from` to rank 0, where `run` is of the same
// shape.
void hand_over(LayoutRun& run, Communicator& group, int from) {
  std::vector<double> losses = {run.evaluation.loss};
  for (const StepResult& step : run.steps) {
    losses.push_back(step.loss);
    losses.push_back(step.sentence_loss);
  }
  const at::Tensor numbers = at::tensor(losses, at::kDouble);
  std::vector<at::Tensor> tensors = {numbers};
  for (const auto& [name, tensor] : run.weights) tensors.push_back(tensor.contiguous());
  for (const NamedTensors& gradients : run.gradients)
    for (const auto& [name, tensor] : gradients) tensors.push_back(tensor.contiguous());
  for (const at::Tensor& tensor : tensors) {
    (group.rank() == from ? group.send(tensor, 0) : group.recv(tensor, from))->wait();
  }
  const double* number = numbers.data_ptr<double>();
  run.evaluation.loss = *number++;
  for (StepResult& step : run.steps) {
    step.loss = *number++;
    step.sentence_loss = *number++;
  }
}

LayoutRun copy_of(const LayoutRun& run) {
  LayoutRun copy = run;
  for (auto& [name, tensor] : copy.weights) tensor = tensor.clone();
  for (NamedTensors& gradients : copy.gradients)
    for (auto& [name, tensor] : gradients) tensor = tensor.clone();
  return copy;
}

void widen(LayoutDifference& spread, const LayoutDifference& more) {
  spread.loss = largest(spread.loss, more.loss);
  spread.gradient = largest(spread.gradient, more.gradient);
  spread.weight = largest(spread.weight, more.weight);
}

}  // namespace

Reference make_reference(const Config& config, const LayoutRunInput& input, Communicator& group) {
  const bool in_double = config.train.precision == "fp64";
  const bool is_first = group.rank() == 0;
  const int helpers = in_double ? 0 : std::min(kMostPermutations, group.size() - 1);
  std::vector<LayoutRun> runs;
  std::string failure;  // of this rank alone: the others must hear of it
  try {
    if (is_first) runs.push_back(run_alone(config, input));
    if (!is_first && group.rank() <= helpers)
      runs.push_back(run_permuted(config, input, group.rank()));
    const int own = is_first && group.size() == 1 && !in_double ? kMostPermutations : 0;
    for (int number = 1; number <= own; ++number)
      runs.push_back(run_permuted(config, input, number));
  } catch (const std::exception& error) {
    failure = cat("one rank: ", error.what());
  }
  for (const std::string& text : gather_texts(group, failure)) {
    if (!text.empty()) throw CollectiveError(ExitCode::kNumeric, text);
  }
  for (int from = 1; from <= helpers; ++from) {
    if (group.rank() == from) hand_over(runs[0], group, from);
    if (!is_first) continue;
    runs.push_back(copy_of(runs[0]));
    hand_over(runs.back(), group, from);
  }
  if (!is_first) return {};
  Reference reference;
  for (size_t i = 0; i < runs.size(); ++i) {
    for (size_t j = 0; j < i; ++j) widen(reference.spread, difference(runs[i], runs[j]));
  }
  reference.run = std::move(runs[0]);
  return reference;
}

}  // namespace lmtrain

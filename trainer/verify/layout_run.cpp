#include "trainer/verify/layout_run.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <ATen/ATen.h>
#include <c10/core/CachingDeviceAllocator.h>

#include "base/error.h"
#include "base/text.h"
#include "data/permutation.h"
#include "parallel/as_error.h"
#include "parallel/launch.h"
#include "parallel/logical_tensors.h"
#include "parallel/typed_gather.h"

namespace lmtrain {
namespace {

NamedTensors logical_tensors(const ParameterStore& store, const std::string& buffer, Mesh& mesh) {
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

// The larger one, or NaN if either is NaN.
double largest(double a, double b) { return std::isnan(a) || a > b ? a : b; }

// The difference of `a` from `b`, as a share of `b`.
double share_of(double a, double b) { return a == b ? 0.0 : std::abs(a / b - 1.0); }

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
    if (trainer.judgement().verdict != Verdict::kUpdate)
      throw CollectiveError(ExitCode::kNumeric, trainer.judgement().reason);
    for (const Parameter* parameter : trainer.store().parameters()) {
      run.largest_updates[parameter->spec().name] +=
          trainer.optimizer().largest_update(parameter->spec(), trainer.rate_of(step));
    }
    if (step + input.num_gradient_steps >= input.num_steps)
      run.gradients.push_back(logical_tensors(trainer.store(), kGradient, mesh));
  }
  run.weights = logical_tensors(trainer.store(), kWeights, mesh);
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

namespace {

bool has_bound(const LayoutDifference::OfTensor& tensor) {
  return std::isfinite(tensor.largest_update);
}

}  // namespace

int64_t LayoutDifference::num_unbounded() const {
  return std::ssize(tensors) - std::ranges::count_if(tensors, has_bound);
}

double LayoutDifference::bounded_weight() const {
  if (num_unbounded() == 0) return weight;
  double difference = 0;
  for (const OfTensor& tensor : tensors) {
    if (has_bound(tensor)) difference = largest(difference, tensor.weight);
  }
  return difference;
}

LayoutDifference difference(const LayoutRun& a, const LayoutRun& b) {
  LayoutDifference d;
  for (size_t i = 0; i < a.steps.size(); ++i) {
    d.loss = largest(d.loss, std::abs(a.steps[i].loss - b.steps[i].loss));
    d.loss = largest(d.loss, std::abs(a.steps[i].sentence_loss - b.steps[i].sentence_loss));
    d.loss_size = largest(d.loss_size, std::abs(b.steps[i].loss));
    d.gradient_norm =
        largest(d.gradient_norm, share_of(a.steps[i].gradient_norm, b.steps[i].gradient_norm));
    d.is_same_data = d.is_same_data && a.steps[i].data_hash == b.steps[i].data_hash;
  }
  d.loss = largest(d.loss, std::abs(a.evaluation.loss - b.evaluation.loss));
  for (const auto& [name, weight] : b.weights) {
    LayoutDifference::OfTensor tensor;
    tensor.name = name;
    tensor.weight = largest_difference(a.weights, name, weight);
    tensor.weight_size = largest_value(weight);
    tensor.largest_update = b.largest_updates.at(name);
    for (size_t i = 0; i < b.gradients.size(); ++i) {
      if (!b.gradients[i].contains(name)) continue;  // frozen
      tensor.gradient_size = largest(tensor.gradient_size, largest_value(b.gradients[i].at(name)));
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
  LayoutRun run = run_layout(config, input, mesh);
  // Frees LibTorch's cache of this run for the next runs and for NCCL.
  if (!input.device.is_cpu()) c10::getDeviceAllocator(input.device.type())->emptyCache();
  return run;
}

// Other micro-batch sizes than that of `train`, not much larger, which group the samples
// differently.
std::vector<int64_t> other_micro_batches(const TrainConfig& train) {
  std::vector<int64_t> sizes;
  const int64_t most = std::max<int64_t>(4, 2 * train.micro_batch_size);
  for (int64_t size = 1; size <= std::min(most, train.global_batch_size); ++size) {
    if (train.global_batch_size % size == 0 && size != train.micro_batch_size)
      sizes.push_back(size);
  }
  if (sizes.empty()) sizes.push_back(train.micro_batch_size);
  return sizes;
}

// Changes the elements in turn by one rounding down, none, or one rounding up.
void nudge(ParameterStore& store) {
  for (const auto& unit : store.units()) {
    at::Tensor weights = unit->master();
    const at::Tensor signs = at::arange(weights.numel(), weights.options()).remainder_(3).sub_(1);
    weights.addcmul_(weights, signs, 0x1p-23);
  }
}

LayoutRun run_permuted(Config config, const LayoutRunInput& input, int number) {
  const PermutedLoader permuted(*input.train, config.train.global_batch_size,
                                static_cast<uint64_t>(number));
  const std::vector<int64_t> sizes = other_micro_batches(config.train);
  config.train.micro_batch_size =
      sizes[sizes.size() - 1 - static_cast<size_t>(number) % sizes.size()];
  LayoutRunInput other = input;
  other.train = &permuted;
  if (number == kPermutations) {
    other.load_weights = [&](ParameterStore& store) {
      if (input.load_weights) input.load_weights(store);
      nudge(store);
    };
  }
  return run_alone(config, other);
}

// Hands `run` from rank `from` to rank 0, where `run` is of the same shape.
void hand_over(LayoutRun& run, Communicator& group, int from) {
  std::vector<at::Tensor> tensors;
  for (const auto& [name, tensor] : run.weights) tensors.push_back(tensor.contiguous());
  for (const NamedTensors& gradients : run.gradients)
    for (const auto& [name, tensor] : gradients) tensors.push_back(tensor.contiguous());
  if (group.rank() == from) {
    send_to(group, 0, run.steps);
    send_to<EvaluationResult>(group, 0, {run.evaluation});
    for (const at::Tensor& tensor : tensors) group.send(tensor, 0)->wait();
  } else {
    run.steps = receive_from<StepResult>(group, from, run.steps.size());
    run.evaluation = receive_from<EvaluationResult>(group, from, 1).front();
    for (const at::Tensor& tensor : tensors) group.recv(tensor, from)->wait();
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
  spread.gradient_norm = largest(spread.gradient_norm, more.gradient_norm);
  if (spread.tensors.empty()) spread.tensors = more.tensors;
  for (size_t i = 0; i < more.tensors.size(); ++i) {
    LayoutDifference::OfTensor& tensor = spread.tensors[i];
    tensor.gradient = largest(tensor.gradient, more.tensors[i].gradient);
    tensor.weight = largest(tensor.weight, more.tensors[i].weight);
  }
}

}  // namespace

int64_t largest_permuted_micro_batch(const TrainConfig& train) {
  return std::max(train.micro_batch_size, other_micro_batches(train).back());
}

Reference make_reference(const Config& config, const LayoutRunInput& input, Communicator& group) {
  const bool is_first = group.rank() == 0;
  // The rank that makes the permuted run of that number: the ranks after 0, in turn.
  const auto maker_of = [&](int number) {
    return group.size() == 1 ? 0 : 1 + (number - 1) % (group.size() - 1);
  };
  const int permutations = config.train.precision == Precision::kFp64 ? 0 : kPermutations;
  std::vector<LayoutRun> own;
  std::optional<Error> failure;  // of this rank alone; throw_first tells the others
  try {
    if (is_first) own.push_back(run_alone(config, input));
    for (int number = 1; number <= permutations; ++number) {
      if (maker_of(number) == group.rank()) own.push_back(run_permuted(config, input, number));
    }
  } catch (const std::exception& error) {
    const Error said = as_error(error);
    failure.emplace(said.code(), cat("one rank: ", said.what()));
  }
  throw_first(failure, group);

  Reference reference;
  std::vector<LayoutRun> runs;
  if (is_first) runs.push_back(std::move(own[0]));
  auto next = own.begin() + (is_first ? 1 : 0);
  for (int number = 1; number <= permutations; ++number) {
    const int maker = maker_of(number);
    if (is_first) runs.push_back(maker == 0 ? std::move(*next++) : copy_of(runs[0]));
    if (maker == 0) continue;
    if (group.rank() == maker) hand_over(*next++, group, maker);
    if (is_first) hand_over(runs.back(), group, maker);
  }
  for (size_t i = 0; i < runs.size(); ++i) {
    const bool is_nudged = i == kPermutations;
    for (size_t j = 0; j < i; ++j) {
      const LayoutDifference between = difference(runs[i], runs[j]);
      if (!is_nudged) widen(reference.spread, between);
      widen(reference.spread_on_tensor_axis, between);
    }
  }
  if (is_first) reference.run = std::move(runs[0]);
  return reference;
}

}  // namespace lmtrain

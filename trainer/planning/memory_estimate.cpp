#include "trainer/planning/memory_estimate.h"

#include <algorithm>

#include "base/text.h"
#include "models/model_sizes.h"
#include "models/vocab_loss.h"
#include "parallel/balanced_owners.h"
#include "parallel/mpi_communicator.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/planning/optimizer_state.h"
#include "trainer/step/trained_parameters.h"

namespace lmtrain {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kProcess = 96 * kMiB;
// What training adds beside tensors.
constexpr int64_t kThreads = 64 * kMiB;

// Bytes of so many elements; huge settings stop at 1 PiB in place of wrapping around.
int64_t bytes_of(double elements, int64_t size) {
  static constexpr double kMost = 1125899906842624.0;
  return static_cast<int64_t>(std::min(elements * static_cast<double>(size), kMost));
}

double num_tokens(const MemoryPlan& plan) {
  return static_cast<double>(plan.micro_batch_size) * static_cast<double>(plan.sequence_length);
}

// Elements of a token that a rank keeps: in full rows, and in a part of the features that the
// tensor axis cuts.
struct TokenElements {
  double rows = 0;
  double features = 0;
};

TokenElements kept_by_block(const ModelConfig& model, const MemoryPlan& plan, bool with_attention) {
  const ModelTraits traits = model.traits();
  const double head_width = static_cast<double>(model.head_width());
  const double queries = static_cast<double>(model.num_heads) * head_width;
  const double keys = static_cast<double>(model.kv_heads()) * head_width;
  // Two residuals and two normalised inputs; q, k, v and the attention's output, where rotated q
  // and k as well; the feed-forward part before and after its activation.
  const double rotated = traits.positions == PositionKind::kRotary ? queries + keys : 0.0;
  // The probabilities, dropped ones and masked scores of every head.
  const double probabilities = model.dropout > 0 ? 3.0 * static_cast<double>(model.num_heads) *
                                                       static_cast<double>(plan.sequence_length)
                                                 : 0.0;
  TokenElements kept;
  kept.rows = 4.0 * static_cast<double>(model.hidden_size);
  kept.features = 2.0 * queries + 2.0 * keys + (with_attention ? rotated + probabilities : 0.0) +
                  (traits.has_gate() ? 3.0 : 2.0) * static_cast<double>(traits.intermediate_size);
  return kept;
}

int64_t activation_bytes(const ModelConfig& model, const MemoryPlan& plan) {
  const double row_parts = plan.sequence ? static_cast<double>(plan.tensor) : 1.0;
  const auto on_rank = [&](const TokenElements& kept) {
    return kept.rows / row_parts + kept.features / static_cast<double>(plan.tensor);
  };
  const double whole_block = on_rank(kept_by_block(model, plan, /*with_attention=*/true));
  double per_token = static_cast<double>(model.num_layers) * whole_block;
  if (plan.recompute == Recompute::kSelective) {
    const double kept = on_rank(kept_by_block(model, plan, /*with_attention=*/false));
    per_token = static_cast<double>(model.num_layers - 1) * kept + whole_block;
  } else if (plan.recompute == Recompute::kFull) {
    per_token = static_cast<double>(model.num_layers * model.hidden_size) / row_parts + whole_block;
  }
  return bytes_of(per_token * num_tokens(plan), compute_element_bytes(plan.precision));
}

int64_t workspace_bytes(const ModelConfig& model, const MemoryPlan& plan) {
  const int64_t size = compute_element_bytes(plan.precision);
  const auto hidden = static_cast<double>(model.hidden_size);
  const auto parts = static_cast<double>(plan.tensor);
  // Kernels work in place; fp64 on the CPU has none and takes two copies, and products of bf16
  // there pack what they read.
  int64_t per_logit = size;
  if (plan.on_cpu && plan.precision == Precision::kFp64)
    per_logit += 2 * master_element_bytes(plan.precision);
  if (plan.on_cpu && plan.precision == Precision::kBf16) per_logit += 2 * size;
  const double rows = std::min(num_tokens(plan), static_cast<double>(rows_of_logits(plan.on_cpu)));
  const double widest =
      static_cast<double>(std::max(plan.vocab_size, model.traits().intermediate_size));
  return bytes_of(8.0 * hidden * num_tokens(plan), size) +
         bytes_of(rows * static_cast<double>(plan.vocab_size) / parts, per_logit) +
         bytes_of(hidden * widest / parts, size);
}

// The units of a store: the first is the embedding, the last the head.
struct UnitSizes {
  // `of` is numel or trained.
  UnitSizes(const ModelSizes& sizes, int64_t ModelSizes::Unit::*of)
      : embedding(sizes.units.front().*of), head(sizes.units.back().*of) {
    for (size_t i = 1; i + 1 < sizes.units.size(); ++i) block = std::max(block, sizes.units[i].*of);
  }
  int64_t embedding;
  int64_t block = 0;
  int64_t head;
};

// Whole units of gradients and weights while they are used, where those are sharded.
int64_t gathered_bytes(const ModelConfig& model, const ModelSizes& sizes, const MemoryPlan& plan) {
  if (plan.data == 1 || plan.zero < 2) return 0;
  const UnitSizes unit(sizes, &ModelSizes::Unit::numel);
  const UnitSizes trained(sizes, &ModelSizes::Unit::trained);
  // A tied table's gradient begins with the loss, before those of the blocks.
  const int64_t gradients =
      (model.has_tied_head() ? trained.embedding : std::max(trained.embedding, trained.head)) +
      3 * trained.block;
  const int64_t weights =
      plan.zero < 3 ? 0 : std::max(unit.embedding + unit.head, unit.head + 2 * unit.block);
  return gradients * master_element_bytes(plan.precision) +
         weights * compute_element_bytes(plan.precision);
}

// Gradients under way.
int64_t bucket_bytes(const ModelSizes& sizes, const MemoryPlan& plan) {
  if (plan.data == 1) return 0;
  const auto bucket = static_cast<int64_t>(plan.bucket_mib * static_cast<double>(kMiB));
  if (plan.zero == 0) return plan.reduces_in_bf16 ? 3 * bucket : 2 * bucket;
  const int64_t received = plan.on_cpu ? kReceivedBytes : 0;
  if (!plan.reduces_in_bf16) return received;
  const UnitSizes unit(sizes, &ModelSizes::Unit::trained);
  return received + 2 * (std::max(unit.embedding, unit.head) + unit.block);
}

int64_t checkpoint_bytes(const ModelSizes& sizes, const StateSize& state, Precision precision) {
  return (sizes.num_parameters + state.stored) * master_element_bytes(precision);
}

// A rank's share of the tensors goes out in files of a certain size, or of one larger tensor.
int64_t checkpoint_file_bytes(const ModelSizes& sizes, const StateSize& state,
                              const MemoryPlan& plan) {
  const int64_t saved = checkpoint_bytes(sizes, state, plan.precision);
  return std::max(std::min(saved / plan.num_ranks, plan.checkpoint_file_bytes),
                  sizes.largest_tensor * master_element_bytes(plan.precision));
}

// Of whole tensors, the part of the rank that writes the most.
int64_t largest_share(const ModelSizes& sizes, const StateSize& state,
                      const ParameterStore& declared, const MemoryPlan& plan) {
  const int64_t trained = std::max<int64_t>(1, sizes.num_trained);
  const int64_t buffers = 1 + (state.stored + trained - 1) / trained;
  std::vector<double> elements;
  for (const Parameter* parameter : declared.parameters()) {
    const auto numel = static_cast<double>(c10::multiply_integers(parameter->spec().logical_shape));
    elements.insert(elements.end(), static_cast<size_t>(parameter->is_trained() ? buffers : 1),
                    numel);
  }
  const auto ranks = static_cast<int>(plan.data * plan.tensor);
  const std::vector<int> owners = balanced_owners(elements, ranks);
  std::vector<double> shares(static_cast<size_t>(ranks));
  for (size_t i = 0; i < owners.size(); ++i) shares[static_cast<size_t>(owners[i])] += elements[i];
  return bytes_of(*std::max_element(shares.begin(), shares.end()),
                  master_element_bytes(plan.precision));
}

// The copy that a save begins with: the rank's own shards or, where units are not cut, the tensors
// that it writes and its part of those that its neighbours write. Blocks of memory are up to an
// eighth larger than what they hold.
int64_t snapshot_bytes(const ModelSizes& sizes, const StateSize& state,
                       const ParameterStore& declared, const MemoryPlan& plan) {
  const int64_t ranks = plan.data * plan.tensor;
  const int64_t frozen = sizes.num_parameters - sizes.num_trained;  // copied in their own type
  int64_t bytes =
      (checkpoint_bytes(sizes, state, plan.precision) -
       frozen * (master_element_bytes(plan.precision) - compute_element_bytes(plan.precision))) /
      ranks;
  if (plan.zero == 0 && ranks > 1)
    bytes = std::max(bytes, largest_share(sizes, state, declared, plan));
  return bytes / 8 * 9;
}

// Whole units of shards, or whole tensors of parts, that a save beside training puts together.
int64_t gathered_in_save(const ModelSizes& sizes, const MemoryPlan& plan) {
  int64_t elements = 0;
  if (plan.data > 1 && plan.zero > 0) {
    const UnitSizes unit(sizes, &ModelSizes::Unit::numel);
    elements += std::max({unit.embedding, unit.block, unit.head});
  }
  if (plan.tensor > 1) elements += 2 * sizes.largest_tensor;
  return elements * master_element_bytes(plan.precision);
}

}  // namespace

int64_t MemoryEstimate::training() const {
  return weights + gradients + optimizer_state + gathered + activations + workspace + buckets +
         threads;
}

int64_t MemoryEstimate::total() const { return training() + process + (on_cpu ? saves() : 0); }

std::string MemoryEstimate::summary() const {
  return cat(human_bytes(weights), " weights, ", human_bytes(gradients), " gradients, ",
             human_bytes(optimizer_state), " optimizer state, ", human_bytes(activations),
             " activations, ", human_bytes(gathered + workspace + buckets + threads + process),
             " work areas", on_cpu ? cat(", ", human_bytes(saves()), " for saves") : "");
}

MemoryPlan memory_plan(const Config& config, int64_t vocab_size, int64_t num_ranks,
                       int64_t ranks_on_node, bool on_cpu) {
  const ParallelConfig& parallel = config.parallel;
  return {.vocab_size = vocab_size,
          .micro_batch_size = config.train.micro_batch_size,
          .sequence_length = config.data.sequence_length,
          .precision = config.train.precision,
          .optimizer = config.optimizer,
          .trained = trained_parameters(config),
          .bucket_mib = parallel.bucket_mib,
          .num_ranks = ranks_on_node,
          .on_cpu = on_cpu,
          .checkpoint_file_bytes = config.checkpoint.file_mib * kMiB,
          .saves_beside_training = config.checkpoint.asynchronous,
          .data = num_ranks / parallel.tensor,
          .tensor = parallel.tensor,
          .sequence = parallel.sequence,
          .zero = parallel.zero,
          .recompute = parallel.recompute,
          .reduces_in_bf16 = parallel.reduce_type == ReduceType::kBf16};
}

MemoryEstimate estimate_memory(const ModelConfig& model, const MemoryPlan& plan) {
  return estimate_memory(
      model, *declared_parameters(model, plan.vocab_size, plan.tensor, plan.trained), plan);
}

MemoryEstimate estimate_memory(const ModelConfig& model, const ParameterStore& declared,
                               const MemoryPlan& plan) {
  const ModelSizes sizes = sizes_of(declared);
  const int64_t parameters = sizes.numel_on_rank();
  const auto sharded = [&](int64_t bytes, int64_t from_stage) {
    return plan.zero >= from_stage ? bytes / plan.data : bytes;
  };
  const int64_t master = master_element_bytes(plan.precision) * sizes.trained_on_rank();
  const int64_t copy = compute_element_bytes(plan.precision) * parameters;
  MemoryEstimate estimate;
  estimate.on_cpu = plan.on_cpu;
  // Without a type of its own the copy is the master.
  estimate.weights =
      sharded(copy, 3) + (plan.precision == Precision::kBf16 ? sharded(master, 1) : 0);
  estimate.gradients = sharded(master, 2);
  const StateSize state = state_size(plan.optimizer, declared, plan.data * plan.tensor);
  estimate.optimizer_state = sharded(state.on_rank * master_element_bytes(plan.precision), 1);
  estimate.gathered = gathered_bytes(model, sizes, plan);
  estimate.activations = activation_bytes(model, plan);
  const int64_t update = state.work(plan.data, plan.zero > 0);
  estimate.workspace =
      std::max(workspace_bytes(model, plan),
               update * master_element_bytes(plan.precision) - estimate.activations);
  estimate.buckets = bucket_bytes(sizes, plan);
  estimate.checkpoint = checkpoint_file_bytes(sizes, state, plan);
  if (plan.saves_beside_training) {
    estimate.snapshot = snapshot_bytes(sizes, state, declared, plan);
    estimate.checkpoint += gathered_in_save(sizes, plan);
  }
  estimate.threads = plan.on_cpu ? kThreads : 0;
  estimate.process = kProcess;
  return estimate;
}

int64_t checkpoint_bytes(const Config& config, int64_t vocab_size) {
  const std::unique_ptr<ParameterStore> declared =
      declared_parameters(config.model, vocab_size, /*tensor=*/1, trained_parameters(config));
  return checkpoint_bytes(sizes_of(*declared),
                          state_size(config.optimizer, *declared, /*num_ranks=*/1),
                          config.train.precision);
}

}  // namespace lmtrain

#include "trainer/planning/memory_estimate.h"

#include <algorithm>

#include "base/text.h"
#include "models/vocab_loss.h"
#include "trainer/planning/optimizer_state.h"

namespace lmtrain {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kCheckpointFile = 128 * kMiB;
constexpr int64_t kCheckpointCopies = 3;
constexpr int64_t kProcess = 96 * kMiB;
// What training adds beside tensors.
constexpr int64_t kThreads = 64 * kMiB;
// Parts of other ranks that MPI holds at once, on the host (parallel/mpi_communicator.cpp).
constexpr int64_t kReceived = 32 * kMiB;

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
  const double head_width = static_cast<double>(model.head_width());
  const double queries = static_cast<double>(model.num_heads) * head_width;
  const double keys = static_cast<double>(model.kv_heads()) * head_width;
  // Two residuals and two normalised inputs; q, k, v and the attention's output, where rotated q
  // and k as well; the feed-forward part before and after its activation.
  const double rotated = model.has_learned_positions() ? 0.0 : queries + keys;
  // The probabilities, dropped ones and masked scores of every head.
  const double probabilities = model.dropout > 0 ? 3.0 * static_cast<double>(model.num_heads) *
                                                       static_cast<double>(plan.sequence_length)
                                                 : 0.0;
  TokenElements kept;
  kept.rows = 4.0 * static_cast<double>(model.hidden_size);
  kept.features =
      2.0 * queries + 2.0 * keys + (with_attention ? rotated + probabilities : 0.0) +
      (model.has_gated_feed_forward() ? 3.0 : 2.0) * static_cast<double>(model.intermediate_size());
  return kept;
}

int64_t activation_bytes(const ModelConfig& model, const MemoryPlan& plan) {
  const double row_parts = plan.sequence ? static_cast<double>(plan.tensor) : 1.0;
  const auto on_rank = [&](const TokenElements& kept) {
    return kept.rows / row_parts + kept.features / static_cast<double>(plan.tensor);
  };
  const double whole_block = on_rank(kept_by_block(model, plan, /*with_attention=*/true));
  double per_token = static_cast<double>(model.num_layers) * whole_block;
  if (plan.recompute == "selective") {
    const double kept = on_rank(kept_by_block(model, plan, /*with_attention=*/false));
    per_token = static_cast<double>(model.num_layers - 1) * kept + whole_block;
  } else if (plan.recompute == "full") {
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
  if (plan.on_cpu && plan.precision == "fp64")
    per_logit += 2 * master_element_bytes(plan.precision);
  if (plan.on_cpu && plan.precision == "bf16") per_logit += 2 * size;
  const double rows = std::min(num_tokens(plan), static_cast<double>(rows_of_logits(plan.on_cpu)));
  const double widest = static_cast<double>(std::max(plan.vocab_size, model.intermediate_size()));
  return bytes_of(8.0 * hidden * num_tokens(plan), size) +
         bytes_of(rows * static_cast<double>(plan.vocab_size) / parts, per_logit) +
         bytes_of(hidden * widest / parts, size);
}

// Whole units of gradients and weights while they are used, where those are sharded.
int64_t gathered_bytes(const ModelConfig& model, const MemoryPlan& plan) {
  if (plan.data == 1 || plan.zero < 2) return 0;
  const ModelParameters parameters = count_parameters(model, plan.vocab_size);
  const int64_t embedding = parameters.embedding.on_rank(plan.tensor);
  const int64_t block = parameters.block.on_rank(plan.tensor);
  const int64_t head = parameters.head.on_rank(plan.tensor);
  // A tied table's gradient begins with the loss, before those of the blocks.
  const int64_t gradients =
      (model.has_tied_head() ? embedding : std::max(embedding, head)) + 3 * block;
  const int64_t weights = plan.zero < 3 ? 0 : std::max(embedding + head, head + 2 * block);
  return gradients * master_element_bytes(plan.precision) +
         weights * compute_element_bytes(plan.precision);
}

// Gradients on their way.
int64_t bucket_bytes(const ModelConfig& model, const MemoryPlan& plan) {
  if (plan.data == 1) return 0;
  const auto bucket = static_cast<int64_t>(plan.bucket_mib * static_cast<double>(kMiB));
  if (plan.zero == 0) return plan.reduces_in_bf16 ? 3 * bucket : 2 * bucket;
  const int64_t received = plan.on_cpu ? kReceived : 0;
  if (!plan.reduces_in_bf16) return received;
  const ModelParameters parameters = count_parameters(model, plan.vocab_size);
  const int64_t largest =
      std::max(parameters.embedding.on_rank(plan.tensor), parameters.head.on_rank(plan.tensor));
  return received + 2 * (largest + parameters.block.on_rank(plan.tensor));
}

// A rank's share of the tensors goes out in files of at most 128 MiB, or of one larger tensor.
int64_t checkpoint_file_bytes(const ModelConfig& model, const MemoryPlan& plan) {
  const int64_t saved = checkpoint_bytes(model, plan.vocab_size, plan.precision, plan.optimizer);
  const int64_t largest_tensor =
      plan.vocab_size * model.hidden_size * master_element_bytes(plan.precision);
  return std::max(std::min(saved / plan.num_ranks, kCheckpointFile), largest_tensor);
}

}  // namespace

int64_t compute_element_bytes(const std::string& precision) {
  if (precision == "bf16") return 2;
  return precision == "fp32" ? 4 : 8;
}

int64_t master_element_bytes(const std::string& precision) { return precision == "fp64" ? 8 : 4; }

ModelParameters count_parameters(const ModelConfig& model, int64_t vocab_size) {
  const int64_t hidden = model.hidden_size;
  const int64_t head = model.head_width();
  const int64_t qkv = (model.num_heads + 2 * model.kv_heads()) * head;
  const int64_t up = (model.has_gated_feed_forward() ? 2 : 1) * model.intermediate_size();
  const int64_t norm = model.has_biases() ? 2 * hidden : hidden;
  ModelParameters p;
  p.num_blocks = model.num_layers;
  p.block.cut = hidden * (qkv + model.num_heads * head + up + model.intermediate_size()) +
                (model.has_biases() ? qkv + up : 0);
  p.block.whole = (model.has_biases() ? 2 * hidden : 0) + 2 * norm + (model.qk_norm ? 2 * head : 0);
  p.embedding.cut = vocab_size * hidden;
  p.embedding.whole = model.has_learned_positions() ? model.max_positions * hidden : 0;
  if (!model.has_tied_embeddings() && model.has_language_head()) p.head.cut = vocab_size * hidden;
  if (model.has_label_head())
    p.head.whole += model.num_labels() * (hidden + (model.has_label_bias() ? 1 : 0));
  if (!model.is_bert()) {
    p.head.whole += norm;
    return p;
  }
  const int64_t dense = hidden * hidden + hidden;
  p.embedding.whole += model.segments() * hidden;
  (model.has_norm_after() ? p.embedding : p.head).whole += norm;
  if (model.has_language_head()) {
    p.head.whole += dense + norm;
    p.head.cut += vocab_size;
  }
  if (model.has_pooler()) p.head.whole += dense;
  if (model.has_sentence_head()) p.head.whole += 2 * hidden + 2;
  return p;
}

int64_t num_parameters(const ModelConfig& model, int64_t vocab_size) {
  return count_parameters(model, vocab_size).on_rank(1);
}

int64_t MemoryEstimate::training() const {
  return weights + gradients + optimizer_state + gathered + activations + workspace + buckets +
         threads;
}

int64_t MemoryEstimate::total() const { return training() + checkpoint + process; }

std::string MemoryEstimate::summary() const {
  return cat(human_bytes(weights), " weights, ", human_bytes(gradients), " gradients, ",
             human_bytes(optimizer_state), " optimizer state, ", human_bytes(activations),
             " activations, ",
             human_bytes(gathered + workspace + buckets + threads + checkpoint + process),
             " work areas");
}

MemoryPlan memory_plan(const Config& config, int64_t vocab_size, int64_t num_ranks,
                       int64_t ranks_on_node, bool on_cpu) {
  const ParallelConfig& parallel = config.parallel;
  return {.vocab_size = vocab_size,
          .micro_batch_size = config.train.micro_batch_size,
          .sequence_length = config.data.sequence_length,
          .precision = config.train.precision,
          .optimizer = config.optimizer,
          .bucket_mib = parallel.bucket_mib,
          .num_ranks = ranks_on_node,
          .on_cpu = on_cpu,
          .data = num_ranks / parallel.tensor,
          .tensor = parallel.tensor,
          .sequence = parallel.sequence,
          .zero = parallel.zero,
          .recompute = parallel.recompute,
          .reduces_in_bf16 = parallel.reduce_type == "bf16"};
}

MemoryEstimate estimate_memory(const ModelConfig& model, const MemoryPlan& plan) {
  const int64_t parameters = count_parameters(model, plan.vocab_size).on_rank(plan.tensor);
  const auto sharded = [&](int64_t bytes, int64_t from_stage) {
    return plan.zero >= from_stage ? bytes / plan.data : bytes;
  };
  const int64_t master = master_element_bytes(plan.precision) * parameters;
  const int64_t copy = compute_element_bytes(plan.precision) * parameters;
  MemoryEstimate estimate;
  // Without a type of its own the copy is the master.
  estimate.weights = sharded(copy, 3) + (plan.precision == "bf16" ? sharded(master, 1) : 0);
  estimate.gradients = sharded(master, 2);
  const StateSize state =
      state_size(plan.optimizer, model, plan.vocab_size, plan.data, plan.tensor);
  estimate.optimizer_state = sharded(state.on_rank * master_element_bytes(plan.precision), 1);
  estimate.gathered = gathered_bytes(model, plan);
  estimate.activations = activation_bytes(model, plan);
  const int64_t update = state.work(plan.data, plan.zero > 0);
  estimate.workspace =
      std::max(workspace_bytes(model, plan),
               update * master_element_bytes(plan.precision) - estimate.activations);
  estimate.buckets = bucket_bytes(model, plan);
  estimate.checkpoint = kCheckpointCopies * checkpoint_file_bytes(model, plan);
  estimate.threads = plan.on_cpu ? kThreads : 0;
  estimate.process = kProcess;
  return estimate;
}

int64_t checkpoint_bytes(const ModelConfig& model, int64_t vocab_size, const std::string& precision,
                         const OptimizerConfig& optimizer) {
  const StateSize state = state_size(optimizer, model, vocab_size, /*data=*/1, /*tensor=*/1);
  return (num_parameters(model, vocab_size) + state.stored) * master_element_bytes(precision);
}

}  // namespace lmtrain

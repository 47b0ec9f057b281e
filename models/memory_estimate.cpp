#include "models/memory_estimate.h"

#include <algorithm>

#include "base/text.h"
#include "models/vocab_loss.h"

namespace lmtrain {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kCheckpointFile = 128 * kMiB;
constexpr int64_t kCheckpointCopies = 3;
constexpr int64_t kProcess = 128 * kMiB;

int64_t compute_size(const std::string& precision) {
  if (precision == "bf16") return 2;
  return precision == "fp32" ? 4 : 8;
}

int64_t master_size(const std::string& precision) { return precision == "fp64" ? 8 : 4; }

// Bytes of so many elements; huge settings stop at 1 PiB in place of wrapping around.
int64_t bytes_of(double elements, int64_t size) {
  static constexpr double kMost = 1125899906842624.0;
  return static_cast<int64_t>(std::min(elements * static_cast<double>(size), kMost));
}

double num_tokens(const MemoryPlan& plan) {
  return static_cast<double>(plan.micro_batch_size) * static_cast<double>(plan.sequence_length);
}

int64_t activation_bytes(const ModelConfig& model, const MemoryPlan& plan) {
  const double head_width = static_cast<double>(model.head_width());
  const double queries = static_cast<double>(model.num_heads) * head_width;
  const double keys = static_cast<double>(model.kv_heads()) * head_width;
  // Two residuals and two normalised inputs; q, k, v and the attention's output, where rotated q
  // and k as well; the feed-forward part before and after its activation.
  const double rotated = model.has_learned_positions() ? 0.0 : queries + keys;
  const double block =
      4.0 * static_cast<double>(model.hidden_size) + 2.0 * queries + 2.0 * keys + rotated +
      (model.has_gated_feed_forward() ? 3.0 : 2.0) * static_cast<double>(model.intermediate_size());
  // The probabilities, dropped ones and masked scores of every head.
  const double attention = model.dropout > 0 ? 3.0 * static_cast<double>(model.num_heads) *
                                                   static_cast<double>(plan.sequence_length)
                                             : 0.0;
  const double per_token = static_cast<double>(model.num_layers) * (block + attention);
  return bytes_of(per_token * num_tokens(plan), compute_size(plan.precision));
}

int64_t workspace_bytes(const ModelConfig& model, const MemoryPlan& plan) {
  const int64_t size = compute_size(plan.precision);
  const auto hidden = static_cast<double>(model.hidden_size);
  // Kernels work in place; fp64 on the CPU has none and takes two copies.
  const bool in_place = !plan.on_cpu || plan.precision != "fp64";
  const int64_t per_logit = size + (in_place ? 0 : 2 * master_size(plan.precision));
  const double rows = std::min(num_tokens(plan), static_cast<double>(rows_of_logits(plan.on_cpu)));
  const double widest = static_cast<double>(std::max(plan.vocab_size, model.intermediate_size()));
  return bytes_of(8.0 * hidden * num_tokens(plan), size) +
         bytes_of(rows * static_cast<double>(plan.vocab_size), per_logit) +
         bytes_of(hidden * widest, size);
}

// A rank's share of the tensors goes out in files of at most 128 MiB, or of one larger tensor.
int64_t checkpoint_file_bytes(const ModelConfig& model, const MemoryPlan& plan) {
  const int64_t saved = checkpoint_bytes(model, plan.vocab_size, plan.precision);
  const int64_t largest_tensor = plan.vocab_size * model.hidden_size * master_size(plan.precision);
  return std::max(std::min(saved / plan.num_ranks, kCheckpointFile), largest_tensor);
}

}  // namespace

int64_t num_parameters(const ModelConfig& model, int64_t vocab_size) {
  const int64_t hidden = model.hidden_size;
  const int64_t head = model.head_width();
  const int64_t qkv = (model.num_heads + 2 * model.kv_heads()) * head;
  const int64_t up = (model.has_gated_feed_forward() ? 2 : 1) * model.intermediate_size();
  const int64_t norm = model.has_biases() ? 2 * hidden : hidden;
  const int64_t matrices = hidden * (qkv + model.num_heads * head + up + model.intermediate_size());
  const int64_t biases = model.has_biases() ? qkv + hidden + up + hidden : 0;
  const int64_t block = matrices + biases + 2 * norm + (model.qk_norm ? 2 * head : 0);
  const bool has_head_table = !model.has_tied_embeddings() && model.has_language_head();
  const int64_t tables = (has_head_table ? 2 : 1) * vocab_size +
                         (model.has_learned_positions() ? model.max_positions : 0);
  const int64_t labels =
      model.has_label_head() ? model.num_labels() * (hidden + (model.has_label_bias() ? 1 : 0)) : 0;
  const int64_t total = tables * hidden + model.num_layers * block + norm + labels;
  if (!model.is_bert()) return total;
  const int64_t dense = hidden * hidden + hidden;
  const int64_t token_head = model.has_language_head() ? dense + norm + vocab_size : 0;
  const int64_t pooler = model.has_pooler() ? dense : 0;
  const int64_t sentence_head = model.has_sentence_head() ? 2 * hidden + 2 : 0;
  return total + model.segments() * hidden + token_head + pooler + sentence_head;
}

int64_t MemoryEstimate::total() const {
  return weights + gradients + moments + activations + workspace + buckets + checkpoint + process;
}

std::string MemoryEstimate::summary() const {
  return cat(human_bytes(weights), " weights, ", human_bytes(gradients), " gradients, ",
             human_bytes(moments), " moments, ", human_bytes(activations), " activations, ",
             human_bytes(workspace + buckets + checkpoint + process), " work areas");
}

MemoryEstimate estimate_memory(const ModelConfig& model, const MemoryPlan& plan) {
  const int64_t parameters = num_parameters(model, plan.vocab_size);
  const int64_t master = master_size(plan.precision);
  const int64_t copy = plan.precision == "bf16" ? compute_size(plan.precision) : 0;
  MemoryEstimate estimate;
  estimate.weights = parameters * (master + copy);
  estimate.gradients = parameters * master;
  estimate.moments = parameters * 2 * master;
  estimate.activations = activation_bytes(model, plan);
  estimate.workspace = workspace_bytes(model, plan);
  estimate.buckets = static_cast<int64_t>(2 * plan.bucket_mib * static_cast<double>(kMiB));
  estimate.checkpoint = kCheckpointCopies * checkpoint_file_bytes(model, plan);
  estimate.process = kProcess;
  return estimate;
}

int64_t checkpoint_bytes(const ModelConfig& model, int64_t vocab_size,
                         const std::string& precision) {
  return num_parameters(model, vocab_size) * 3 * master_size(precision);
}

}  // namespace lmtrain

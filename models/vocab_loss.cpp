#include "models/vocab_loss.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "models/cuda_kernels.h"
#include "models/few_rows.h"
#include "models/functions.h"
#include "models/kernels/kernels.h"
#include "models/row_sum.h"

namespace lmtrain {
namespace {

at::ScalarType accumulate_type(at::ScalarType compute) {
  return compute == at::kDouble ? at::kDouble : at::kFloat;
}

// Returns the number of this rank's columns of logits that are real vocabulary entries.
int64_t num_real_columns(const Parameter& table) { return table.spec().num_real_rows(); }

// Returns the statistics of this rank's columns of each row of logits, on the CPU below fp64.
SoftmaxStatistics statistics_by_kernels(const at::Tensor& logits, int64_t columns) {
  const auto options = logits.options().dtype(at::kFloat);
  const SoftmaxStatistics found = {at::empty({logits.size(0)}, options),
                                   at::empty({logits.size(0)}, options)};
  const CrossEntropyKernels& kernels = cpu_kernels().cross_entropy;
  auto* const largest = found.largest.data_ptr<float>();
  auto* const sum_exp = found.sum_exp.data_ptr<float>();
  at::parallel_for(0, logits.size(0), 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t at = r * logits.size(1);
      if (logits.scalar_type() == at::kFloat) {
        const float* const row = logits.data_ptr<float>() + at;
        largest[r] = kernels.max_fp32(row, columns);
        sum_exp[r] = kernels.sum_exp_fp32(row, columns, largest[r]);
      } else {
        const auto* const row = static_cast<const uint16_t*>(logits.data_ptr()) + at;
        largest[r] = kernels.max_bf16(row, columns);
        sum_exp[r] = kernels.sum_exp_bf16(row, columns, largest[r]);
      }
    }
  });
  return found;
}

SoftmaxStatistics softmax_statistics(const at::Tensor& logits, int64_t columns) {
  if (columns == 0) {
    const auto options = logits.options().dtype(accumulate_type(logits.scalar_type()));
    return {at::full({logits.size(0)}, -3e38, options), at::zeros({logits.size(0)}, options)};
  }
  if (logits.is_cuda()) return cuda_softmax_statistics(logits, columns);
  if (logits.scalar_type() != at::kDouble) return statistics_by_kernels(logits, columns);
  const at::Tensor real = logits.narrow(1, 0, columns);
  const at::Tensor largest = real.amax(1);
  return {largest, real.sub(largest.unsqueeze(1)).exp_().sum(1)};
}

// Works in place: logits become factor * softmax, and padded columns become zero.
void scale_softmax_in_place(at::Tensor& logits, int64_t columns, const at::Tensor& log_sum,
                            const at::Tensor& factor) {
  const int64_t width = logits.size(1);
  if (columns < width) logits.narrow(1, columns, width - columns).zero_();
  if (columns == 0) return;
  if (logits.scalar_type() == at::kDouble) {
    logits.narrow(1, 0, columns).sub_(log_sum.unsqueeze(1)).exp_().mul_(factor.unsqueeze(1));
    return;
  }
  const CrossEntropyKernels& kernels = cpu_kernels().cross_entropy;
  const float* const shifts = log_sum.data_ptr<float>();
  const float* const factors = factor.data_ptr<float>();
  at::parallel_for(0, logits.size(0), 8, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t at = r * width;
      if (logits.scalar_type() == at::kFloat) {
        kernels.scaled_exp_fp32(logits.data_ptr<float>() + at, columns, shifts[r], factors[r]);
      } else {
        kernels.scaled_exp_bf16(static_cast<uint16_t*>(logits.data_ptr()) + at, columns, shifts[r],
                                factors[r]);
      }
    }
  });
}

struct Chunk {
  at::Tensor log_probabilities;  // of the labels, [rows]
  at::Tensor log_sum;            // log of the sum of exp over the vocabulary, [rows]
  at::Tensor local_labels;       // column of each label on this rank, 0 where it is on another
  at::Tensor is_local;     // 1 where the label's column is on this rank, in the accumulate type
  at::Tensor predictions;  // where asked for
};

// Works in place: logits become softmax_factor * softmax, less label_factor at this rank's labels.
void loss_gradient_in_place(at::Tensor& logits, int64_t columns, const Chunk& chunk,
                            const at::Tensor& softmax_factor, const at::Tensor& label_factor) {
  const at::Tensor at_label = label_factor.mul(chunk.is_local);
  if (logits.is_cuda()) {
    cuda_loss_gradient_in_place(logits, columns, chunk.log_sum, softmax_factor, chunk.local_labels,
                                at_label);
    return;
  }
  scale_softmax_in_place(logits, columns, chunk.log_sum, softmax_factor);
  logits.scatter_add_(1, chunk.local_labels.unsqueeze(1),
                      at_label.neg().unsqueeze(1).to(logits.scalar_type()));
}

// Returns the token of the largest logit, or the first of equally large ones: int64 [rows].
// `largest` is the maximum over all ranks.
at::Tensor first_of_largest(const at::Tensor& logits, const at::Tensor& largest,
                            const Parameter& table, Communicator& axis) {
  const int64_t columns = num_real_columns(table);
  constexpr int64_t kNone = std::numeric_limits<int64_t>::min();
  at::Tensor negated = at::full({logits.size(0)}, kNone, logits.options().dtype(at::kLong));
  if (columns > 0) {
    const auto [values, places] = logits.narrow(1, 0, columns).max(1);
    const at::Tensor tokens = places + table.spec().shard_index * logits.size(1);
    negated = at::where(values.to(largest.scalar_type()).eq(largest), tokens.neg(), negated);
  }
  axis.all_reduce(negated, ReduceOp::kMax)->wait();
  return negated.neg();
}

// Combines the statistics of the ranks' parts of the vocabulary.
Chunk log_probabilities(const at::Tensor& logits, const at::Tensor& labels, const Parameter& table,
                        bool with_predictions, Communicator& axis) {
  const int64_t columns = num_real_columns(table);
  const auto [own_largest, own_sum] = softmax_statistics(logits, columns);
  at::Tensor largest = own_largest;
  at::Tensor sum = own_sum;
  if (axis.size() > 1) {
    largest = own_largest.clone();
    axis.all_reduce(largest, ReduceOp::kMax)->wait();
    sum = own_sum * own_largest.sub(largest).exp_();
    axis.all_reduce(sum, ReduceOp::kSum)->wait();
  }

  Chunk chunk;
  const at::Tensor shifted = labels - table.spec().shard_index * logits.size(1);
  const at::Tensor inside = shifted.ge(0).logical_and(shifted.lt(logits.size(1)));
  chunk.is_local = inside.to(largest.scalar_type());
  chunk.local_labels = shifted.mul(inside);
  at::Tensor label_logit = logits.gather(1, chunk.local_labels.unsqueeze(1))
                               .squeeze(1)
                               .to(largest.scalar_type())
                               .mul(chunk.is_local);
  axis.all_reduce(label_logit, ReduceOp::kSum)->wait();
  chunk.log_sum = largest.add(sum.log());
  chunk.log_probabilities = label_logit.sub(chunk.log_sum);
  if (with_predictions) chunk.predictions = first_of_largest(logits, largest, table, axis);
  return chunk;
}

struct VocabLossFunction : torch::autograd::Function<VocabLossFunction> {
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden,
                               const at::Tensor& labels, const at::Tensor& weights,
                               const VocabLossOptions& options, bool with_gradient,
                               Parameter* table, Parameter* bias, const TensorAxis& axis) {
    const double scale = options.scale;
    const double z_loss = options.z_loss;
    const at::Tensor x = gather_rows(as_rows(hidden), axis);
    const at::Tensor y = labels.reshape({-1});
    const at::Tensor w = weights.reshape({-1});
    const auto type = accumulate_type(hidden.scalar_type());
    at::Tensor log_probs = at::empty({x.size(0)}, hidden.options().dtype(type));
    at::Tensor log_sums = at::empty_like(log_probs);
    at::Tensor predictions = at::empty({options.with_predictions ? x.size(0) : 0}, y.options());
    at::Tensor dx = with_gradient ? at::empty_like(x) : at::Tensor();
    std::vector<WorkPtr> sums;  // of dx over the ranks, during the next chunk's work
    // The weight is fetched even without any row, since the other ranks may be gathering it.
    const at::Tensor weight = table->weight();
    const int64_t chunk_rows = rows_of_logits(x.is_cpu());
    for (int64_t begin = 0; begin < x.size(0); begin += chunk_rows) {
      const int64_t rows = std::min(chunk_rows, x.size(0) - begin);
      const at::Tensor xc = x.narrow(0, begin, rows);
      at::Tensor logits =
          bias == nullptr ? at::mm(xc, weight.t()) : at::addmm(bias->weight(), xc, weight.t());
      const Chunk chunk = log_probabilities(logits, y.narrow(0, begin, rows), *table,
                                            options.with_predictions, *axis.group);
      if (options.with_predictions) predictions.narrow(0, begin, rows).copy_(chunk.predictions);
      log_probs.narrow(0, begin, rows).copy_(chunk.log_probabilities);
      log_sums.narrow(0, begin, rows).copy_(chunk.log_sum);
      if (!with_gradient) continue;

      const at::Tensor factor = w.narrow(0, begin, rows).to(type).mul(scale);
      const at::Tensor softmax_factor =
          z_loss == 0.0 ? factor : factor * chunk.log_sum.mul(2.0 * z_loss).add_(1.0);
      loss_gradient_in_place(logits, num_real_columns(*table), chunk, softmax_factor, factor);
      at::Tensor dxc = dx.narrow(0, begin, rows);
      at::mm_out(dxc, logits, weight);
      if (!axis.cuts_rows) sums.push_back(axis.group->all_reduce(dxc, ReduceOp::kSum));
      table->add_product(logits.t(), xc);
      if (bias != nullptr) bias->add_gradient(sum_of_rows(logits));
    }
    if (with_gradient) {
      for (const WorkPtr& sum : sums) sum->wait();
      if (axis.cuts_rows) dx = sum_rows(dx, axis);
      context->save_for_backward({dx.view(hidden.sizes())});
    }
    save_pointer(context, "table", table);
    save_pointer(context, "bias", bias);
    at::Tensor losses = log_probs.neg();
    if (z_loss != 0.0) losses.add_(log_sums.square(), z_loss);
    const at::Tensor total = losses.mul_(w).sum().mul_(scale);
    context->mark_non_differentiable({log_probs, predictions});
    return {total, log_probs, predictions};
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    // Forward has added the gradients of table and bias, for a backward that starts with one.
    TORCH_CHECK(!gradients[0].is_cpu() || gradients[0].item<double>() == 1.0,
                "backward of the loss starts with one");
    saved_pointer<Parameter>(context, "table")->report_use();
    if (auto* const bias = saved_pointer<Parameter>(context, "bias"); bias != nullptr)
      bias->report_use();
    return {context->get_saved_variables()[0], {}, {}, {}, {}, {}, {}, {}};
  }
};

}  // namespace

int64_t rows_of_logits(bool on_cpu) { return on_cpu ? 1024 : 4096; }

VocabLoss VocabHead::loss(const at::Tensor& hidden, const at::Tensor& labels,
                          const at::Tensor& weights, const VocabLossOptions& options) const {
  const bool with_gradient = at::GradMode::is_enabled() && hidden.requires_grad();
  const variable_list results = VocabLossFunction::apply(
      hidden, labels, weights, options, with_gradient, &table_, bias_, tensor_axis_);
  VocabLoss loss;
  loss.total = results[0];
  loss.log_probabilities = results[1].view(labels.sizes());
  if (options.with_predictions) loss.predictions = results[2].view(labels.sizes());
  return loss;
}

at::Tensor VocabHead::logits(const at::Tensor& hidden) const {
  const at::Tensor wide =
      inferred_linear(hidden, table_.weight(), bias_ == nullptr ? at::Tensor() : bias_->weight(),
                      accumulate_type(hidden.scalar_type()));
  const std::vector<at::Tensor> parts = gather_parts(*tensor_axis_.group, wide);
  const at::Tensor all = parts.size() == 1 ? parts[0] : at::cat(parts, -1);
  return all.narrow(-1, 0, table_.spec().logical_shape[0]);
}

}  // namespace lmtrain

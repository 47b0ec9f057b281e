#include "models/label_head.h"

#include <limits>

#include <ATen/ATen.h>

#include "models/block.h"

namespace lmtrain {
namespace {

// The scores of each label, [samples, labels of a sample]: a sample has one label or those of its
// tokens.
struct LabelScores {
  at::Tensor losses;
  at::Tensor is_correct;
};

LabelScores score_labels(const at::Tensor& logits, const at::Tensor& labels) {
  const at::Tensor known = labels.ge(0);
  const at::Tensor chosen =
      logits.log_softmax(-1).gather(-1, labels.clamp_min(0).unsqueeze(-1)).squeeze(-1);
  return {chosen.neg().mul(known.to(logits.scalar_type())), logits.detach().argmax(-1).eq(labels)};
}

LabelScores score_values(const at::Tensor& logits, const at::Tensor& values) {
  const at::Tensor wanted = values.to(logits.scalar_type()).unsqueeze(1);
  return {logits.sub(wanted).square(), at::zeros_like(wanted, at::kBool)};
}

LabelScores score_answers(const at::Tensor& logits, const at::Tensor& lengths,
                          const at::Tensor& labels) {
  const at::Tensor real_lengths = lengths.clamp_min(1).unsqueeze(1);
  const at::Tensor is_padding =
      at::arange(logits.size(1), labels.options()).ge(real_lengths).unsqueeze(1);
  const at::Tensor real =
      logits.transpose(1, 2).masked_fill(is_padding, -std::numeric_limits<double>::infinity());
  // An answer whose token was cut off counts as unlabelled.
  const LabelScores ends = score_labels(real, at::where(labels.lt(real_lengths), labels, -1));
  return {ends.losses.mul(0.5), ends.is_correct.all(1, /*keepdim=*/true)};
}

}  // namespace

LabelHead::LabelHead(ParameterStore& store, ParameterUnit& unit, const ModelConfig& config,
                     Communicator& whole)
    : config_(config),
      linear_(store, unit, "labels", config.hidden_size, {{config.num_labels()}},
              LinearCut::kColumn, whole,
              {.bias = config.traits().has_label_bias,
               .std = config.init_std,
               .multiplied =
                   config.classifies_texts() ? Multiplied::kPerText : Multiplied::kPerToken}) {}

at::Tensor LabelHead::logits(const at::Tensor& rows, const DropoutContext& context) const {
  const at::Tensor y = linear_(config_.traits().drops_before_labels
                                   ? dropout(rows, context, first_site_behind_blocks(config_))
                                   : rows);
  return y.scalar_type() == at::kDouble ? y : y.to(at::kFloat);
}

ModelLoss LabelHead::loss(const at::Tensor& logits, const at::Tensor& lengths,
                          const Targets& targets, const LossScales& scales) const {
  const LabelScores scores = config_.is_regression() ? score_values(logits, targets.values)
                             : config_.answers_questions()
                                 ? score_answers(logits, lengths, targets.labels)
                                 : score_labels(logits, targets.labels);
  const int64_t samples = logits.size(0);
  at::Tensor weighted = scores.losses.reshape({samples, -1});
  if (targets.weights.defined())
    weighted = weighted * targets.weights.to(weighted.scalar_type()).reshape({samples, -1});
  const at::Tensor losses = weighted.detach().to(at::kDouble).sum(1);
  const at::Tensor correct = scores.is_correct.reshape({samples, -1}).sum(1);
  const auto samples_of = [losses = losses, correct = correct] {
    const at::Tensor by_sample = losses.cpu();
    const at::Tensor counts = correct.cpu();
    std::vector<SampleScore> all(static_cast<size_t>(by_sample.numel()));
    for (size_t i = 0; i < all.size(); ++i) {
      all[i].loss = by_sample.data_ptr<double>()[i];
      all[i].num_correct = counts.data_ptr<int64_t>()[i];
    }
    return all;
  };
  return {weighted.sum() * scales.targets, samples_of, logits.detach()};
}

at::Tensor last_rows(const at::Tensor& hidden, const at::Tensor& lengths) {
  const at::Tensor place = lengths.sub(1).view({-1, 1, 1}).expand({-1, 1, hidden.size(2)});
  return hidden.gather(1, place).squeeze(1);
}

}  // namespace lmtrain

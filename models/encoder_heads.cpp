#include "models/encoder_heads.h"

#include <ATen/ATen.h>

#include "models/block.h"
#include "models/functions.h"
#include "models/gelu.h"

namespace lmtrain {
namespace {

constexpr int64_t kNumSentenceLabels = 2;

// Makes a layer that is never cut: all ranks have the same input and the same gradient.
Linear whole_linear(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                    int64_t outputs, const ModelConfig& config, Communicator& whole,
                    Multiplied multiplied) {
  return {store,       unit,
          name,        config.hidden_size,
          {{outputs}}, LinearCut::kColumn,
          whole,       {.bias = true, .std = config.init_std, .multiplied = multiplied}};
}

Parameter& vocab_bias(ParameterStore& store, ParameterUnit& unit, const ParameterSpec& table) {
  ParameterSpec spec = table;
  spec.name = "head.bias";
  spec.logical_shape = {table.logical_shape[0]};
  spec.padded_shape = {table.padded_shape[0]};
  spec.weight_decay = false;
  spec.uses_per_micro_batch = 1;
  spec.multiplied = Multiplied::kNever;
  spec.init = Init::kZeros;
  return store.add(unit, std::move(spec));
}

}  // namespace

MaskedTokenHead::MaskedTokenHead(ParameterStore& store, ParameterUnit& unit,
                                 const ModelConfig& config, Parameter& token_table,
                                 Communicator& tensor_axis, Communicator& whole)
    : transform_(whole_linear(store, unit, "head.transform", config.hidden_size, config, whole,
                              Multiplied::kPerTarget)),
      norm_(model_norm(store, unit, "head.norm", config, whole)),
      vocab_(token_table, &vocab_bias(store, unit, token_table.spec()), tensor_axis) {}

at::Tensor MaskedTokenHead::transformed(const at::Tensor& rows) const {
  return norm_(gelu_exact(transform_(rows)));
}

VocabLoss MaskedTokenHead::loss(const at::Tensor& rows, const at::Tensor& labels,
                                const at::Tensor& weights, const VocabLossOptions& options) const {
  return vocab_.loss(transformed(rows), labels, weights, options);
}

at::Tensor MaskedTokenHead::log_probabilities(const at::Tensor& rows) const {
  return vocab_.logits(transformed(rows)).log_softmax(-1);
}

Pooler::Pooler(ParameterStore& store, ParameterUnit& unit, const ModelConfig& config,
               Communicator& whole)
    : activation_(config.traits().pooler_activation),
      linear_(whole_linear(store, unit, "pooler", config.hidden_size, config, whole,
                           Multiplied::kPerText)) {}

at::Tensor Pooler::operator()(const at::Tensor& hidden) const {
  const at::Tensor y = linear_(hidden.select(1, 0));
  return activation_ == PoolerActivation::kRelu ? y.relu() : y.tanh();
}

SentenceHead::SentenceHead(ParameterStore& store, ParameterUnit& unit, const ModelConfig& config,
                           Communicator& whole)
    : linear_(whole_linear(store, unit, "sentence", kNumSentenceLabels, config, whole,
                           Multiplied::kPerText)) {}

at::Tensor SentenceHead::logits(const at::Tensor& pooled) const {
  const at::Tensor y = linear_(pooled);
  return y.scalar_type() == at::kDouble ? y : y.to(at::kFloat);
}

SentenceLoss SentenceHead::loss(const at::Tensor& pooled, const at::Tensor& labels,
                                double scale) const {
  const at::Tensor scores = logits(pooled).log_softmax(-1);
  const at::Tensor known = labels.ge(0);
  const at::Tensor losses = scores.gather(1, labels.clamp_min(0).unsqueeze(1))
                                .squeeze(1)
                                .neg()
                                .mul(known.to(scores.scalar_type()));
  return {losses.sum() * scale, losses.detach().to(at::kDouble), scores.argmax(-1).eq(labels)};
}

}  // namespace lmtrain

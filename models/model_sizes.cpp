#include "models/model_sizes.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "models/model.h"
#include "parallel/planned_communicator.h"

namespace lmtrain {

std::unique_ptr<ParameterStore> declared_parameters(ModelConfig config, int64_t vocab_size,
                                                    int64_t tensor) {
  config.vocab_size = vocab_size;
  const std::unique_ptr<Communicator> group = make_planned_communicator(static_cast<int>(tensor));
  auto store = std::make_unique<ParameterStore>(at::kFloat, at::kCPU);
  make_model(config, vocab_size, *store, *group);  // the store keeps what it declares
  return store;
}

Products products_of(const ParameterStore& store) {
  Products products;
  for (const Parameter* parameter : store.parameters()) {
    const int64_t numel = c10::multiply_integers(parameter->spec().padded_shape);
    switch (parameter->spec().multiplied) {
      case Multiplied::kNever:
        break;
      case Multiplied::kPerToken:
        products.per_token += numel;
        break;
      case Multiplied::kPerTarget:
        products.per_target += numel;
        break;
      case Multiplied::kPerText:
        products.per_text += numel;
        break;
    }
  }
  return products;
}

int64_t ModelSizes::numel_on_rank() const {
  int64_t total = 0;
  for (const Unit& unit : units) total += unit.numel;
  return total;
}

ModelSizes sizes_of(const ParameterStore& declared) {
  ModelSizes sizes;
  for (const auto& unit : declared.units()) {
    int64_t numel = 0;
    for (const auto& parameter : unit->parameters()) numel += parameter->numel();
    sizes.units.push_back({unit->name(), numel});
  }
  for (const Parameter* parameter : declared.parameters()) {
    sizes.largest_tensor =
        std::max(sizes.largest_tensor, c10::multiply_integers(parameter->spec().logical_shape));
  }
  sizes.num_parameters = declared.num_logical_elements();
  sizes.products = products_of(declared);
  return sizes;
}

ModelSizes sizes_of(const ModelConfig& config, int64_t vocab_size, int64_t tensor) {
  return sizes_of(*declared_parameters(config, vocab_size, tensor));
}

namespace {

// Returns how many keys a query sees on average in a sequence of `length` tokens.
double mean_keys_seen(const ModelTraits& traits, double length) {
  if (traits.attention_span == AttentionSpan::kWhole) return length;
  const auto window = static_cast<double>(traits.attention_window);
  if (window == 0 || window >= length) return (length + 1.0) / 2.0;
  return window * (length - (window - 1.0) / 2.0) / length;
}

}  // namespace

double forward_flops_per_token(const ModelConfig& config, const Products& products,
                               int64_t sequence_length, double target_share) {
  const auto queries = static_cast<double>(config.num_heads * config.head_width());
  const auto length = static_cast<double>(sequence_length);
  const double attention = static_cast<double>(config.num_layers) * 4.0 * queries *
                           mean_keys_seen(config.traits(), length);
  return attention + 2.0 * (static_cast<double>(products.per_token) +
                            target_share * static_cast<double>(products.per_target) +
                            static_cast<double>(products.per_text) / length);
}

}  // namespace lmtrain

#include "models/model_sizes.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "models/model.h"
#include "parallel/planned_communicator.h"

namespace lmtrain {

std::unique_ptr<ParameterStore> declared_parameters(ModelConfig config, int64_t vocab_size,
                                                    int64_t tensor, const SpecChange& change) {
  config.vocab_size = vocab_size;
  const std::unique_ptr<Communicator> group = make_planned_communicator(static_cast<int>(tensor));
  auto store = std::make_unique<ParameterStore>(at::kFloat, at::kCPU);
  make_model(config, vocab_size, *store, *group);  // the store keeps what it declares
  store->change_specs(change);
  return store;
}

std::map<std::string, std::vector<int64_t>> logical_shapes(const ParameterStore& store) {
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const Parameter* parameter : store.parameters())
    shapes[parameter->spec().name] = parameter->spec().logical_shape;
  return shapes;
}

namespace {

void add(const ParameterSpec& spec, Products& to) {
  const int64_t numel = c10::multiply_integers(spec.padded_shape);
  switch (spec.multiplied) {
    case Multiplied::kNever:
      break;
    case Multiplied::kPerToken:
      to.per_token += numel;
      break;
    case Multiplied::kPerTarget:
      to.per_target += numel;
      break;
    case Multiplied::kPerText:
      to.per_text += numel;
      break;
  }
}

bool is_block(const ParameterUnit& unit) {
  return unit.name().starts_with("blocks.") && !unit.name().ends_with(".frozen");
}

}  // namespace

ModelProducts products_of(const ParameterStore& store) {
  ModelProducts products;
  bool in_backward = false;
  for (const auto& unit : store.units()) {
    in_backward |= !unit->is_frozen();
    if (in_backward && is_block(*unit)) ++products.num_layers_in_backward;
    for (const auto& parameter : unit->parameters()) {
      const ParameterSpec& spec = parameter->spec();
      add(spec, products.forward);
      // A language head comes last, whatever unit has its table.
      if (in_backward || spec.multiplied == Multiplied::kPerTarget) add(spec, products.to_inputs);
      if (!spec.is_frozen) add(spec, products.to_weights);
    }
  }
  return products;
}

int64_t ModelSizes::numel_on_rank() const {
  int64_t total = 0;
  for (const Unit& unit : units) total += unit.numel;
  return total;
}

int64_t ModelSizes::trained_on_rank() const {
  int64_t total = 0;
  for (const Unit& unit : units) total += unit.trained;
  return total;
}

ModelSizes sizes_of(const ParameterStore& declared) {
  ModelSizes sizes;
  const ParameterUnit* part = nullptr;  // of the unit before
  for (const auto& unit : declared.units()) {
    int64_t numel = 0;
    for (const auto& parameter : unit->parameters()) numel += parameter->numel();
    const int64_t trained = unit->is_frozen() ? 0 : numel;
    if (unit.get() == part) {
      sizes.units.back().numel += numel;
    } else {
      sizes.units.push_back({unit->name(), numel, trained});
    }
    part = unit->frozen_part();
  }
  for (const Parameter* parameter : declared.parameters()) {
    const int64_t numel = c10::multiply_integers(parameter->spec().logical_shape);
    sizes.largest_tensor = std::max(sizes.largest_tensor, numel);
    if (parameter->is_trained()) sizes.num_trained += numel;
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

// Of one block and token: scores and their product with the values.
double attention_flops(const ModelConfig& config, int64_t sequence_length) {
  const auto queries = static_cast<double>(config.num_heads * config.head_width());
  return 4.0 * queries * mean_keys_seen(config.traits(), static_cast<double>(sequence_length));
}

double product_flops(const Products& products, int64_t sequence_length, double target_share) {
  return 2.0 * (static_cast<double>(products.per_token) +
                target_share * static_cast<double>(products.per_target) +
                static_cast<double>(products.per_text) / static_cast<double>(sequence_length));
}

}  // namespace

double forward_flops_per_token(const ModelConfig& config, const Products& products,
                               int64_t sequence_length, double target_share) {
  return static_cast<double>(config.num_layers) * attention_flops(config, sequence_length) +
         product_flops(products, sequence_length, target_share);
}

double training_flops_per_token(const ModelConfig& config, const ModelProducts& products,
                                int64_t sequence_length, double target_share) {
  return forward_flops_per_token(config, products.forward, sequence_length, target_share) +
         2.0 * static_cast<double>(products.num_layers_in_backward) *
             attention_flops(config, sequence_length) +
         product_flops(products.to_inputs, sequence_length, target_share) +
         product_flops(products.to_weights, sequence_length, target_share);
}

}  // namespace lmtrain

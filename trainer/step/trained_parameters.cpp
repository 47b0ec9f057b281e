#include "trainer/step/trained_parameters.h"

#include <algorithm>
#include <cmath>

#include <fnmatch.h>

#include "models/lora.h"

namespace lmtrain {
namespace {

bool fits(const std::string& pattern, const std::string& name) {
  return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

bool is_trained_with_adapters(const ModelConfig& model, const std::vector<std::string>& head,
                              const std::string& name) {
  if (is_of_adapter(name) || std::ranges::find(head, name) != head.end()) return true;
  if (!name.ends_with(".bias") || model.lora.bias == LoraBias::kNone) return false;
  return trains_bias(model.lora, !lora_adapters(model, name.substr(0, name.rfind('.'))).empty());
}

}  // namespace

SpecChange trained_parameters(const Config& config) {
  const ModelConfig& model = config.model;
  std::vector<std::string> head;
  if (model.lora.is_on()) head = parameters_of_label_head(model);
  return [model, head, patterns = config.train.freeze, decay = config.optimizer.layer_decay](
             size_t unit, size_t num_units, ParameterSpec& spec) {
    spec.is_frozen = (model.lora.is_on() && !is_trained_with_adapters(model, head, spec.name)) ||
                     std::ranges::any_of(patterns, [&](const std::string& pattern) {
                       return fits(pattern, spec.name);
                     });
    spec.rate = std::pow(decay, static_cast<double>(num_units - 1 - unit));
  };
}

std::vector<std::string> patterns_without_parameter(const std::vector<std::string>& patterns,
                                                    const ParameterStore& declared) {
  std::vector<std::string> without;
  for (const std::string& pattern : patterns) {
    const auto& parameters = declared.parameters();
    if (std::ranges::none_of(parameters,
                             [&](const Parameter* one) { return fits(pattern, one->spec().name); }))
      without.push_back(pattern);
  }
  return without;
}

}  // namespace lmtrain

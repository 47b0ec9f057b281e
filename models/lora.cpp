#include "models/lora.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "models/families/families.h"

namespace lmtrain {
namespace {

constexpr std::string_view kFirstBlock = "blocks.0.";
constexpr std::string_view kWeight = ".weight";
constexpr char kAllLinear[] = "all-linear";

// A layer of transformers in the first block, and the weight that holds it.
struct Layer {
  std::string name;    // "self_attn.q_proj"
  std::string weight;  // "attention.qkv"
  MatrixSlice slice;
};

// What all names begin with.
std::string common_beginning(const std::vector<std::string>& names) {
  std::string beginning = names.empty() ? "" : names.front();
  for (const std::string& name : names) {
    const auto [end, unused] = std::ranges::mismatch(beginning, name);
    beginning.erase(end, beginning.end());
  }
  return beginning.substr(0, beginning.rfind('.') + 1);
}

// The linear layers of a block; norms have a dim too few.
std::vector<Layer> layers_of_block(ModelConfig model) {
  model.num_layers = 1;
  model.lora = {};
  std::vector<Layer> layers;
  std::vector<std::string> names;
  const TensorMap map = tensor_map_of(model, /*num_tokens=*/1);
  for (const TensorPart& part : map.parts) {
    if (!part.parameter.starts_with(kFirstBlock)) continue;
    names.push_back(part.name);
    const bool is_matrix =
        part.parameter.ends_with(kWeight) && part.parameter.find("norm") == std::string::npos;
    if (!is_matrix) continue;
    const auto without_ends = [](const std::string& text, std::string_view beginning) {
      return text.substr(beginning.size(), text.size() - beginning.size() - kWeight.size());
    };
    const MatrixSlice slice = {static_cast<int>(part.dim), part.start, part.length};
    const std::string weight = without_ends(part.parameter, kFirstBlock);
    // Parts of one layer follow each other.
    if (!layers.empty() && layers.back().name == part.name) {
      layers.back().slice.count += slice.count;
    } else {
      layers.push_back({part.name, weight, slice});
    }
  }
  const std::string beginning = common_beginning(names);
  for (Layer& layer : layers)
    layer.name =
        layer.name.substr(beginning.size(), layer.name.size() - beginning.size() - kWeight.size());
  return layers;
}

bool fits(const std::string& target, const std::string& layer) {
  return target == kAllLinear || layer == target || layer.ends_with("." + target);
}

}  // namespace

std::vector<LoraAdapter> lora_adapters(const ModelConfig& model, const std::string& name) {
  std::vector<LoraAdapter> adapters;
  if (!model.lora.is_on()) return adapters;
  const std::string in_block = name.substr(name.find('.', name.find('.') + 1) + 1);
  for (const Layer& layer : layers_of_block(model)) {
    const bool is_target = std::ranges::any_of(
        model.lora.targets, [&](const std::string& target) { return fits(target, layer.name); });
    if (layer.weight != in_block || !is_target) continue;
    const std::string own = cat(name, ".lora.", layer.name.substr(layer.name.rfind('.') + 1));
    adapters.push_back({layer.name, layer.slice, own + ".a", own + ".b"});
  }
  return adapters;
}

double lora_scale(const LoraConfig& config) {
  const auto rank = static_cast<double>(config.rank);
  return config.alpha / (config.scaling == LoraScaling::kStandard ? rank : std::sqrt(rank));
}

bool trains_bias(const LoraConfig& config, bool has_adapter) {
  return config.bias == LoraBias::kAll || (config.bias == LoraBias::kLoraOnly && has_adapter);
}

bool is_of_adapter(std::string_view parameter) {
  return parameter.find(".lora.") != std::string_view::npos;
}

std::vector<std::string> parameters_of_label_head(const ModelConfig& model) {
  std::vector<std::string> names;
  if (!model.has_label_head()) return names;
  const TensorMap map = tensor_map_of(model, /*num_tokens=*/1);
  for (const TensorPart& part : map.parts) {
    if (part.parameter.starts_with("labels.") || part.parameter.starts_with("pooler."))
      names.push_back(part.parameter);
  }
  return names;
}

std::vector<std::string> lora_layers(const ModelConfig& model) {
  std::vector<std::string> names;
  for (const Layer& layer : layers_of_block(model)) names.push_back(layer.name);
  return names;
}

std::vector<std::string> layers_that_share_a_bias(const ModelConfig& model) {
  std::vector<std::string> sharing;
  const ModelTraits traits = model.traits();
  for (const Layer& layer : layers_of_block(model)) {
    const bool has_bias =
        traits.has_biases || (traits.has_qkv_biases && layer.weight == "attention.qkv");
    const auto adapters = lora_adapters(model, cat(kFirstBlock, layer.weight));
    const bool is_adapted =
        std::ranges::find(adapters, layer.name, &LoraAdapter::layer) != adapters.end();
    if (has_bias && !adapters.empty() && !is_adapted) sharing.push_back(layer.name);
  }
  return sharing;
}

std::vector<std::string> targets_without_layer(const ModelConfig& model) {
  std::vector<std::string> without;
  const std::vector<std::string> layers = lora_layers(model);
  for (const std::string& target : model.lora.targets) {
    if (std::ranges::none_of(layers, [&](const std::string& layer) { return fits(target, layer); }))
      without.push_back(target);
  }
  return without;
}

}  // namespace lmtrain

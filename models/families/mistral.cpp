// Mistral (Jiang et al., 2023): Llama whose queries see a sliding window of keys.
#include "models/families/llama_like.h"

namespace lmtrain {
namespace {

using nlohmann::json;

ModelTraits traits(const ModelConfig& model) {
  ModelTraits traits = llama_like_traits(model);
  traits.attention_window = model.sliding_window;
  return traits;
}

std::vector<HeadClass> classes(const ModelConfig&) { return llama_like_classes("Mistral"); }

// An absent sliding_window means 4,096, the default of transformers' class; null means no window.
void read_json(const std::string&, ConfigJson& from, ModelConfig& model) {
  read_llama_like_json(from, model);
  constexpr int64_t kDefaultWindow = 4096;
  model.sliding_window =
      from.has("sliding_window") ? from.integer("sliding_window", 0) : kDefaultWindow;
}

json write_json(const ModelConfig& model) {
  json value = llama_like_json("mistral", model);
  value["sliding_window"] = model.sliding_window == 0 ? json() : json(model.sliding_window);
  return value;
}

TensorMap tensor_map(const ModelConfig& model, int64_t num_tokens) {
  return llama_like_tensor_map(model, num_tokens, /*root=*/"model.");
}

}  // namespace

ModelFamily mistral_family() {
  return {.kind = "mistral",
          .summary = "llama with a sliding window of attention",
          .own_keys = {"num_kv_heads", "head_size", "sliding_window", "rope."},
          .traits = traits,
          .find_problem = find_llama_like_problem,
          .model_types = {"mistral"},
          .classes = classes,
          .read_json = read_json,
          .write_json = write_json,
          .tensor_map = tensor_map};
}

}  // namespace lmtrain

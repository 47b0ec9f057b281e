// Qwen2 and Qwen2.5 (Yang et al., 2024): Llama with biases on queries, keys and values.
#include "models/families/llama_like.h"

namespace lmtrain {
namespace {

using nlohmann::json;

ModelTraits traits(const ModelConfig& model) {
  ModelTraits traits = llama_like_traits(model);
  traits.has_qkv_biases = true;
  return traits;
}

std::vector<HeadClass> classes(const ModelConfig&) { return llama_like_classes("Qwen2"); }

// Files name a sliding_window even where use_sliding_window = false leaves it unused.
void read_json(const std::string&, ConfigJson& from, ModelConfig& model) {
  read_llama_like_json(from, model);
  from.must_be("use_sliding_window", false);
}

json write_json(const ModelConfig& model) {
  json value = llama_like_json("qwen2", model);
  value["use_sliding_window"] = false;
  return value;
}

// The class that answers questions calls its base model as GPT-2's does.
TensorMap tensor_map(const ModelConfig& model, int64_t num_tokens) {
  return llama_like_tensor_map(model, num_tokens,
                               model.answers_questions() ? "transformer." : "model.");
}

}  // namespace

ModelFamily qwen2_family() {
  return {.kind = "qwen2",
          .summary = "llama with biases on queries, keys and values",
          .own_keys = {"num_kv_heads", "rope."},
          .traits = traits,
          .find_problem = find_llama_like_problem,
          .model_types = {"qwen2"},
          .classes = classes,
          .read_json = read_json,
          .write_json = write_json,
          .tensor_map = tensor_map};
}

}  // namespace lmtrain

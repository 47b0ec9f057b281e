// Llama (Touvron et al., 2023; Grattafiori et al., "Llama 3", 2024), and with a norm of each head's
// queries and keys Qwen3 (Yang et al., 2025).
#include "models/families/llama_like.h"

namespace lmtrain {
namespace {

using nlohmann::json;

std::vector<HeadClass> classes(const ModelConfig& model) {
  return llama_like_classes(model.qk_norm ? "Qwen3" : "Llama");
}

void read_json(const std::string& model_type, ConfigJson& from, ModelConfig& model) {
  read_llama_like_json(from, model);
  model.qk_norm = model_type == "qwen3";
  from.must_be("attention_bias", false);
  from.must_be("mlp_bias", false);
  from.must_be("use_sliding_window", false);
  // Files of Qwen name a window even where use_sliding_window = false leaves it unused.
  if (from.is_null("use_sliding_window")) from.must_be_absent("sliding_window");
}

json write_json(const ModelConfig& model) {
  json value = llama_like_json(model.qk_norm ? "qwen3" : "llama", model);
  value["attention_bias"] = false;
  if (!model.qk_norm) value["mlp_bias"] = false;
  return value;
}

// The class that answers questions calls its base model as GPT-2's does.
TensorMap tensor_map(const ModelConfig& model, int64_t num_tokens) {
  return llama_like_tensor_map(model, num_tokens,
                               model.answers_questions() ? "transformer." : "model.");
}

}  // namespace

ModelFamily llama_family() {
  return {.kind = "llama",
          .summary = "decoder, RMSNorm, rotary positions, SwiGLU, no biases",
          .own_keys = {"num_kv_heads", "head_size", "qk_norm", "rope."},
          .traits = llama_like_traits,
          .find_problem = find_llama_like_problem,
          .model_types = {"llama", "qwen3"},
          .classes = classes,
          .read_json = read_json,
          .write_json = write_json,
          .tensor_map = tensor_map};
}

}  // namespace lmtrain

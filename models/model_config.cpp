#include "models/model_config.h"

#include <set>

#include "base/text.h"

namespace lmtrain {
namespace {

std::optional<ModelProblem> find_rope_problem(const RopeConfig& rope) {
  if (rope.scaling == "none" && rope.factor != 1.0) {
    return ModelProblem{{"model.rope.factor"},
                        cat("model.rope.factor = ", rope.factor,
                            " has no effect with model.rope.scaling = none; choose linear or "
                            "llama3, or leave it at 1")};
  }
  if (rope.scaling == "llama3" && rope.high_frequency_factor <= rope.low_frequency_factor) {
    return ModelProblem{
        {"model.rope.high_frequency_factor", "model.rope.low_frequency_factor"},
        cat("model.rope.high_frequency_factor = ", rope.high_frequency_factor,
            " must be more than model.rope.low_frequency_factor = ", rope.low_frequency_factor)};
  }
  return std::nullopt;
}

ModelProblem foreign_setting(const std::string& key, const std::string& kind,
                             const ModelConfig& model) {
  return {{key}, cat(key, " is for model.kind = ", kind, "; leave it out in ", model.kind)};
}

// Settings of llama alone, which others must not have.
std::optional<ModelProblem> find_llama_setting(const ModelConfig& model) {
  const auto only_llama = [&](const std::string& key) {
    return foreign_setting(key, "llama", model);
  };
  const ModelConfig plain;
  if (model.kv_heads() != model.num_heads) return only_llama("model.num_kv_heads");
  if (model.head_size != 0) return only_llama("model.head_size");
  if (model.qk_norm) return only_llama("model.qk_norm");
  if (model.rope.theta != plain.rope.theta) return only_llama("model.rope.theta");
  if (model.rope.scaling != plain.rope.scaling) return only_llama("model.rope.scaling");
  return std::nullopt;
}

// Likewise of bert.
std::optional<ModelProblem> find_bert_setting(const ModelConfig& model) {
  if (model.head == "pretraining" || model.head == "none")
    return foreign_setting("model.head", "bert", model);
  if (model.norm_position != "auto") return foreign_setting("model.norm_position", "bert", model);
  if (model.num_segments != 0) return foreign_setting("model.num_segments", "bert", model);
  return std::nullopt;
}

std::optional<ModelProblem> find_label_problem(const ModelConfig& model) {
  const bool wants_labels = model.has_label_head() && !model.answers_questions();
  if (!wants_labels && !model.labels.empty()) {
    return ModelProblem{
        {"model.labels", "model.head"},
        cat("model.labels has no effect with model.head = ", model.head, "; leave it out")};
  }
  if (wants_labels && model.labels.empty()) {
    return ModelProblem{{"model.labels", "model.head"},
                        cat("model.head = ", model.head,
                            " wants the names of its labels; list "
                            "them in model.labels")};
  }
  const std::set<std::string> names(model.labels.begin(), model.labels.end());
  if (names.size() == model.labels.size()) return std::nullopt;
  return ModelProblem{{"model.labels"}, "model.labels names one label twice; rename one"};
}

}  // namespace

std::optional<ModelProblem> find_problem(const ModelConfig& model) {
  if (auto problem = find_label_problem(model)) return problem;
  if (model.head_size == 0 && model.hidden_size % model.num_heads != 0) {
    return ModelProblem{{"model.hidden_size", "model.num_heads"},
                        cat("model.hidden_size = ", model.hidden_size,
                            " is not divisible by model.num_heads = ", model.num_heads,
                            "; each head takes an equal part")};
  }
  if (!model.is_bert()) {
    if (auto problem = find_bert_setting(model)) return problem;
  } else if (!model.has_tied_embeddings()) {
    return ModelProblem{{"model.embeddings"},
                        "model.embeddings = untied is not for bert, whose head is tied"};
  }
  if (!model.is_llama()) return find_llama_setting(model);
  if (model.num_heads % model.kv_heads() != 0) {
    return ModelProblem{{"model.num_kv_heads", "model.num_heads"},
                        cat("model.num_kv_heads = ", model.num_kv_heads,
                            " does not divide model.num_heads = ", model.num_heads,
                            "; each head of keys serves equally many query heads")};
  }
  if (model.head_width() % 2 != 0) {
    return ModelProblem{{"model.head_size", "model.hidden_size", "model.num_heads"},
                        cat("heads of ", model.head_width(),
                            " features cannot be rotated in pairs; make the width even")};
  }
  return find_rope_problem(model.rope);
}

}  // namespace lmtrain

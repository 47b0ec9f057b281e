#include "models/families/llama_like.h"

#include "base/text.h"

namespace lmtrain {
namespace {

using nlohmann::json;

int64_t intermediate_size(const ModelConfig& model) {
  if (model.feed_forward_size != 0) return model.feed_forward_size;
  constexpr int64_t kMultiple = 256;
  return (8 * model.hidden_size / 3 + kMultiple - 1) / kMultiple * kMultiple;
}

std::optional<ModelProblem> find_rope_problem(const RopeConfig& rope) {
  if (rope.scaling == RopeScaling::kNone && rope.factor != 1.0) {
    return ModelProblem{{"model.rope.factor"},
                        cat("model.rope.factor = ", rope.factor,
                            " has no effect with model.rope.scaling = none; "
                            "choose linear or llama3, or leave it at 1")};
  }
  if (rope.scaling == RopeScaling::kLlama3 &&
      rope.high_frequency_factor <= rope.low_frequency_factor) {
    return ModelProblem{
        {"model.rope.high_frequency_factor", "model.rope.low_frequency_factor"},
        cat("model.rope.high_frequency_factor = ", rope.high_frequency_factor,
            " must be more than model.rope.low_frequency_factor = ", rope.low_frequency_factor)};
  }
  return std::nullopt;
}

void read_rope(const json& value, const std::string& place, RopeConfig& rope) {
  ConfigJson from(value, place);
  rope.theta = from.real("rope_theta", rope.theta);
  const std::string kind = from.text("rope_type", from.text("type", "default"));
  if (kind == "default") return;
  const std::optional<RopeScaling> scaling = choice_of<RopeScaling>(kind);
  if (!scaling || *scaling == RopeScaling::kNone) {
    from.fail("rope_type",
              cat(show_text(kind), " is not available; default, linear and llama3 are"));
  }
  rope.scaling = *scaling;
  rope.factor = from.real("factor", 1.0);
  if (rope.scaling == RopeScaling::kLinear) return;
  rope.low_frequency_factor = from.real("low_freq_factor", 1.0);
  rope.high_frequency_factor = from.real("high_freq_factor", 4.0);
  rope.original_positions = from.integer("original_max_position_embeddings");
}

json rope_to_json(const RopeConfig& rope) {
  const bool is_plain = rope.scaling == RopeScaling::kNone;
  json value = {{"rope_theta", rope.theta},
                {"rope_type", is_plain ? "default" : std::string(name_of(rope.scaling))}};
  if (!is_plain) value["factor"] = rope.factor;
  if (rope.scaling == RopeScaling::kLlama3) {
    value["low_freq_factor"] = rope.low_frequency_factor;
    value["high_freq_factor"] = rope.high_frequency_factor;
    value["original_max_position_embeddings"] = rope.original_positions;
  }
  return value;
}

// In lmtrain's qkv, a group of query heads, its key and its value lie together.
void add_attention(TensorMap& map, const ModelConfig& model, const std::string& ours,
                   const std::string& theirs) {
  const int64_t queries = model.num_heads / model.kv_heads();
  const int64_t key_rows = model.kv_heads() * model.head_width();
  const auto part = [&](const std::string& name, int64_t rows, int64_t start, int64_t length) {
    const auto slice = [&](const std::string& kind) {
      return TensorPart{.parameter = ours + ".qkv" + kind,
                        .name = theirs + name + kind,
                        .num_rows = rows,
                        .dim = 1,
                        .start = start,
                        .length = length};
    };
    map.add_slice(slice(".weight"));
    if (model.traits().has_qkv_biases) map.add_slice(slice(".bias"));
  };
  part(".q_proj", queries * key_rows, 0, queries);
  part(".k_proj", key_rows, queries, 1);
  part(".v_proj", key_rows, queries + 1, 1);
  if (model.qk_norm) {
    map.add_whole(ours + ".query_norm.weight", theirs + ".q_norm.weight", model.head_width());
    map.add_whole(ours + ".key_norm.weight", theirs + ".k_norm.weight", model.head_width());
  }
  map.add_whole(ours + ".output.weight", theirs + ".o_proj.weight", model.hidden_size);
}

void add_feed_forward(TensorMap& map, const ModelConfig& model, const std::string& ours,
                      const std::string& theirs) {
  const int64_t width = intermediate_size(model);
  int64_t place = 0;
  for (const std::string name : {".gate_proj", ".up_proj"}) {
    map.add_slice({.parameter = ours + ".up.weight",
                   .name = theirs + name + ".weight",
                   .num_rows = width,
                   .dim = 0,
                   .start = place++,
                   .length = 1});
  }
  map.add_whole(ours + ".down.weight", theirs + ".down_proj.weight", model.hidden_size);
}

}  // namespace

ModelTraits llama_like_traits(const ModelConfig& model) {
  return {.objective = Objective::kNextToken,
          .attention_span = AttentionSpan::kPast,
          .positions = PositionKind::kRotary,
          .norm = NormKind::kRootMeanSquare,
          .activation = Activation::kSwiGlu,
          .intermediate_size = intermediate_size(model),
          .has_biases = false,
          .has_tied_embeddings = ties_embeddings(model, /*by_default=*/false),
          .has_label_bias = !model.classifies_texts(),
          .drops_before_labels = model.head == HeadKind::kTokenClassification,
          .residual_init_std = scaled_residual_std(model)};
}

std::optional<ModelProblem> find_llama_like_problem(const ModelConfig& model) {
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

std::vector<HeadClass> llama_like_classes(const std::string& prefix) {
  return {{prefix + "ForCausalLM", HeadKind::kLanguageModel},
          {prefix + "Model", HeadKind::kLanguageModel},
          {prefix + "ForSequenceClassification", HeadKind::kSequenceClassification},
          {prefix + "ForTokenClassification", HeadKind::kTokenClassification},
          {prefix + "ForQuestionAnswering", HeadKind::kQuestionAnswering}};
}

void read_llama_like_json(ConfigJson& from, ModelConfig& model) {
  model.num_layers = from.integer("num_hidden_layers");
  model.num_heads = from.integer("num_attention_heads");
  model.num_kv_heads = from.integer("num_key_value_heads", model.num_heads);
  model.hidden_size = from.integer("hidden_size");
  model.head_size = from.integer("head_dim", 0);
  if (model.head_size == model.hidden_size / model.num_heads) model.head_size = 0;
  model.feed_forward_size = from.integer("intermediate_size");
  model.max_positions = from.integer("max_position_embeddings");
  model.norm_eps = from.real("rms_norm_eps", 1e-6);
  model.dropout = 0.0;  // transformers drops nothing but attention here
  note_other_dropouts(from, model, {"attention_dropout"}, 0.0);
  from.must_be_one_of("hidden_act", {"silu", "swish"});
  model.rope.theta = from.real("rope_theta", 10000.0);
  for (const std::string key : {"rope_scaling", "rope_parameters"}) {  // transformers 4 and 5
    if (!from.is_null(key)) read_rope(from.required(key), from.place_of(key), model.rope);
  }
}

json llama_like_json(const std::string& model_type, const ModelConfig& model) {
  return {{"model_type", model_type},
          {"num_hidden_layers", model.num_layers},
          {"num_attention_heads", model.num_heads},
          {"num_key_value_heads", model.kv_heads()},
          {"hidden_size", model.hidden_size},
          {"head_dim", model.head_width()},
          {"intermediate_size", intermediate_size(model)},
          {"max_position_embeddings", model.max_positions},
          {"rms_norm_eps", model.norm_eps},
          {"hidden_act", "silu"},
          {"attention_dropout", 0.0},
          {"rope_parameters", rope_to_json(model.rope)}};
}

TensorMap llama_like_tensor_map(const ModelConfig& model, int64_t num_tokens,
                                const std::string& root) {
  TensorMap map;
  map.root = root;
  map.tied = {{"lm_head.weight", "embedding.token.weight"}};
  map.unread_endings = {".rotary_emb.inv_freq"};  // in files of the first years
  map.add_whole("embedding.token.weight", root + "embed_tokens.weight", num_tokens);
  for (int64_t i = 0; i < model.num_layers; ++i) {
    const std::string ours = cat("blocks.", i);
    const std::string theirs = cat(root, "layers.", i);
    add_norm(map, model, ours + ".attention.norm", theirs + ".input_layernorm");
    add_attention(map, model, ours + ".attention", theirs + ".self_attn");
    add_norm(map, model, ours + ".feed_forward.norm", theirs + ".post_attention_layernorm");
    add_feed_forward(map, model, ours + ".feed_forward", theirs + ".mlp");
  }
  add_norm(map, model, "head.norm", root + "norm");
  if (model.has_label_head()) {
    add_label_head(map, model, "score");
  } else if (!model.traits().has_tied_embeddings) {
    map.add_whole("head.weight", "lm_head.weight", num_tokens);
  }
  return map;
}

}  // namespace lmtrain

#include "models/families/bert_like.h"

#include "base/text.h"

namespace lmtrain {

using nlohmann::json;

ModelTraits bert_like_traits(const ModelConfig& model) {
  return {.objective = Objective::kMaskedTokens,
          .attention_span = AttentionSpan::kWhole,
          .positions = PositionKind::kLearned,
          .norm = NormKind::kLayer,
          .has_norm_after = true,
          .activation = Activation::kGeluExact,
          .intermediate_size =
              model.feed_forward_size == 0 ? 4 * model.hidden_size : model.feed_forward_size,
          .has_biases = true,
          .has_tied_embeddings = ties_embeddings(model, /*by_default=*/true),
          .has_label_bias = true,
          .drops_before_labels = !model.answers_questions(),
          .residual_init_std = model.init_std};
}

void read_bert_like_json(ConfigJson& from, ModelConfig& model) {
  model.num_layers = from.integer("num_hidden_layers");
  model.num_heads = from.integer("num_attention_heads");
  model.hidden_size = from.integer("hidden_size");
  model.feed_forward_size = from.integer("intermediate_size");
  if (model.feed_forward_size == 4 * model.hidden_size) model.feed_forward_size = 0;
  model.norm_eps = from.real("layer_norm_eps", 1e-12);
  from.must_be_one_of("hidden_act", {"gelu", "gelu_python"});
  from.must_be("position_embedding_type", "absolute");
  from.must_be("is_decoder", false);
  from.must_be("add_cross_attention", false);
  model.dropout = from.real("hidden_dropout_prob", 0.1);
  note_other_dropouts(from, model, {"attention_probs_dropout_prob"}, 0.1);
}

json bert_like_json(const std::string& model_type, const ModelConfig& model) {
  return {{"model_type", model_type},
          {"num_hidden_layers", model.num_layers},
          {"num_attention_heads", model.num_heads},
          {"hidden_size", model.hidden_size},
          {"intermediate_size", model.traits().intermediate_size},
          {"layer_norm_eps", model.norm_eps},
          {"hidden_act", "gelu"},
          {"hidden_dropout_prob", model.dropout},
          {"attention_probs_dropout_prob", model.dropout}};
}

namespace {

void add_embeddings(TensorMap& map, const ModelConfig& model, const std::string& theirs,
                    int64_t num_tokens) {
  const ModelTraits traits = model.traits();
  map.add_whole("embedding.token.weight", theirs + "word_embeddings.weight", num_tokens);
  map.add_whole("embedding.position.weight", theirs + "position_embeddings.weight",
                model.max_positions + traits.first_position);
  if (traits.num_segments > 0) {
    map.add_whole("embedding.segment.weight", theirs + "token_type_embeddings.weight",
                  traits.num_segments);
  }
  if (traits.has_norm_after) add_norm(map, model, "embedding.norm", theirs + "LayerNorm");
}

void add_block(TensorMap& map, const ModelConfig& model, const std::string& ours,
               const std::string& theirs, const BertLikeNames& names) {
  add_norm(map, model, ours + ".attention.norm", theirs + names.attention_norm);
  for (const std::string kind : {".weight", ".bias"}) {
    int64_t place = 0;
    for (const std::string& name : {names.query, names.key, names.value}) {
      map.add_slice({.parameter = ours + ".attention.qkv" + kind,
                     .name = theirs + name + kind,
                     .num_rows = model.hidden_size,
                     .dim = 1,
                     .start = place++,
                     .length = 1});
    }
  }
  add_linear(map, ours + ".attention.output", theirs + names.attention_output, model.hidden_size);
  add_norm(map, model, ours + ".feed_forward.norm", theirs + names.feed_forward_norm);
  add_linear(map, ours + ".feed_forward.up", theirs + names.up, model.traits().intermediate_size);
  add_linear(map, ours + ".feed_forward.down", theirs + names.down, model.hidden_size);
}

}  // namespace

BertLikeNames bert_names(const ModelConfig& model) {
  const bool after = model.traits().has_norm_after;
  return {.query = ".attention.self.query",
          .key = ".attention.self.key",
          .value = ".attention.self.value",
          .attention_output = ".attention.output.dense",
          .attention_norm = after ? ".attention.output.LayerNorm" : ".attention.ln",
          .up = ".intermediate.dense",
          .down = ".output.dense",
          .feed_forward_norm = after ? ".output.LayerNorm" : ".ln"};
}

void add_bert_like_encoder(TensorMap& map, const ModelConfig& model, const std::string& root,
                           const std::string& blocks, const BertLikeNames& names,
                           int64_t num_tokens) {
  add_embeddings(map, model, root + "embeddings.", num_tokens);
  for (int64_t i = 0; i < model.num_layers; ++i)
    add_block(map, model, cat("blocks.", i), cat(root, blocks, i), names);
}

std::optional<ModelProblem> find_bert_like_problem(const ModelConfig& model) {
  if (!model.pooler && model.head != HeadKind::kNone) {
    return ModelProblem{{"model.pooler", "model.head"},
                        cat("model.pooler = false is for model.head = none; with model.head = ",
                            model.head, " leave it out")};
  }
  return find_untied_problem(model);
}

bool have_pooler(const SafetensorsFolder& files, const std::string& root) {
  const std::string name = "pooler.dense.weight";
  return files.contains(name) || files.contains(root + name);
}

}  // namespace lmtrain

// DistilBERT (Sanh et al., 2019): BERT without segments and pooler.
#include "base/text.h"
#include "models/families/bert_like.h"

namespace lmtrain {
namespace {

using nlohmann::json;

// transformers' class adds this to the variance in every LayerNorm, whatever config.json says.
constexpr double kNormEps = 1e-12;

ModelTraits traits(const ModelConfig& model) {
  ModelTraits traits = bert_like_traits(model);
  traits.has_pooler = model.classifies_texts();
  traits.pooler_activation = PoolerActivation::kRelu;
  return traits;
}

std::optional<ModelProblem> find_distilbert_problem(const ModelConfig& model) {
  if (model.norm_eps == kNormEps) return find_untied_problem(model);
  return ModelProblem{{"model.norm_eps"},
                      cat("model.norm_eps = ", model.norm_eps,
                          " is not for distilbert, whose class in transformers has 1e-12; "
                          "set it to 1.0e-12")};
}

std::vector<HeadClass> classes(const ModelConfig&) {
  return {{"DistilBertForMaskedLM", HeadKind::kLanguageModel},
          {"DistilBertForSequenceClassification", HeadKind::kSequenceClassification},
          {"DistilBertForTokenClassification", HeadKind::kTokenClassification},
          {"DistilBertForQuestionAnswering", HeadKind::kQuestionAnswering},
          {"DistilBertModel", HeadKind::kNone}};
}

// The dropouts of the heads are not read, because label heads are not trained yet.
void read_json(const std::string&, ConfigJson& from, ModelConfig& model) {
  model.num_layers = from.integer("n_layers");
  model.num_heads = from.integer("n_heads");
  model.hidden_size = from.integer("dim");
  model.feed_forward_size = from.integer("hidden_dim");
  if (model.feed_forward_size == 4 * model.hidden_size) model.feed_forward_size = 0;
  model.max_positions = from.integer("max_position_embeddings");
  model.norm_eps = kNormEps;
  from.must_be("activation", "gelu");
  model.dropout = from.real("dropout", 0.1);
  if (from.real("attention_dropout", 0.1) != model.dropout)
    from.fail("dropout", "differs from attention_dropout; lmtrain has one dropout");
}

json write_json(const ModelConfig& model) {
  return {{"model_type", "distilbert"},
          {"n_layers", model.num_layers},
          {"n_heads", model.num_heads},
          {"dim", model.hidden_size},
          {"hidden_dim", traits(model).intermediate_size},
          {"max_position_embeddings", model.max_positions},
          {"activation", "gelu"},
          {"dropout", model.dropout},
          {"attention_dropout", model.dropout},
          {"qa_dropout", model.dropout},
          {"seq_classif_dropout", model.dropout}};
}

void add_block(TensorMap& map, const ModelConfig& model, const std::string& ours,
               const std::string& theirs) {
  add_norm(map, model, ours + ".attention.norm", theirs + ".sa_layer_norm");
  for (const std::string kind : {".weight", ".bias"}) {
    int64_t place = 0;
    for (const std::string name : {"q_lin", "k_lin", "v_lin"}) {
      map.add_slice({.parameter = ours + ".attention.qkv" + kind,
                     .name = theirs + ".attention." + name + kind,
                     .num_rows = model.hidden_size,
                     .dim = 1,
                     .start = place++,
                     .length = 1});
    }
  }
  add_linear(map, ours + ".attention.output", theirs + ".attention.out_lin", model.hidden_size);
  add_norm(map, model, ours + ".feed_forward.norm", theirs + ".output_layer_norm");
  add_linear(map, ours + ".feed_forward.up", theirs + ".ffn.lin1", traits(model).intermediate_size);
  add_linear(map, ours + ".feed_forward.down", theirs + ".ffn.lin2", model.hidden_size);
}

TensorMap tensor_map(const ModelConfig& model, int64_t num_tokens) {
  TensorMap map;
  map.root = "distilbert.";
  map.tied = {{"vocab_projector.weight", "embedding.token.weight"}};
  map.unread_endings = {"embeddings.position_ids"};
  const std::string root = model.head == HeadKind::kNone ? "" : "distilbert.";
  map.add_whole("embedding.token.weight", root + "embeddings.word_embeddings.weight", num_tokens);
  map.add_whole("embedding.position.weight", root + "embeddings.position_embeddings.weight",
                model.max_positions);
  add_norm(map, model, "embedding.norm", root + "embeddings.LayerNorm");
  for (int64_t i = 0; i < model.num_layers; ++i)
    add_block(map, model, cat("blocks.", i), cat(root, "transformer.layer.", i));
  if (model.has_language_head()) {
    add_linear(map, "head.transform", "vocab_transform", model.hidden_size);
    add_norm(map, model, "head.norm", "vocab_layer_norm");
    map.add_whole("head.bias", "vocab_projector.bias", num_tokens);
  }
  if (model.classifies_texts()) add_linear(map, "pooler", "pre_classifier", model.hidden_size);
  if (model.has_label_head()) add_label_head(map, model, "classifier");
  return map;
}

}  // namespace

ModelFamily distilbert_family() {
  return {.kind = "distilbert",
          .summary = "bert without segments, pooler and sentence head",
          .own_keys = {},
          .traits = traits,
          .find_problem = find_distilbert_problem,
          .model_types = {"distilbert"},
          .classes = classes,
          .read_json = read_json,
          .write_json = write_json,
          .tensor_map = tensor_map};
}

}  // namespace lmtrain

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
  from.must_be_one_of("activation", {"gelu", "gelu_python"});
  model.dropout = from.real("dropout", 0.1);
  note_other_dropouts(from, model, {"attention_dropout"}, 0.1);
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

BertLikeNames block_names() {
  return {.query = ".attention.q_lin",
          .key = ".attention.k_lin",
          .value = ".attention.v_lin",
          .attention_output = ".attention.out_lin",
          .attention_norm = ".sa_layer_norm",
          .up = ".ffn.lin1",
          .down = ".ffn.lin2",
          .feed_forward_norm = ".output_layer_norm"};
}

TensorMap tensor_map(const ModelConfig& model, int64_t num_tokens) {
  TensorMap map;
  map.root = "distilbert.";
  map.tied = {{"vocab_projector.weight", "embedding.token.weight"}};
  map.unread_endings = {"embeddings.position_ids"};
  const std::string root = model.head == HeadKind::kNone ? "" : "distilbert.";
  add_bert_like_encoder(map, model, root, "transformer.layer.", block_names(), num_tokens);
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

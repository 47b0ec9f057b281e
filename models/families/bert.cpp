// BERT (Devlin et al., 2019): a bidirectional encoder with learned positions and segments,
// LayerNorm after each residual sum and on the embeddings, exact GELU and biases, trained by masked
// tokens. With norm_position = before it has the form of Megatron-LM (Shoeybi et al., 2019).
#include "models/families/bert_like.h"

namespace lmtrain {
namespace {

using nlohmann::json;

bool has_norm_after(const ModelConfig& model) {
  return model.norm_position != NormPosition::kBefore;
}

int64_t num_segments(const ModelConfig& model) {
  return model.num_segments == 0 ? 2 : model.num_segments;
}

ModelTraits traits(const ModelConfig& model) {
  ModelTraits traits = bert_like_traits(model);
  traits.has_norm_after = has_norm_after(model);
  traits.num_segments = num_segments(model);
  traits.has_pooler = model.head == HeadKind::kPretraining || model.classifies_texts() ||
                      (model.head == HeadKind::kNone && model.pooler);
  return traits;
}

std::vector<HeadClass> classes(const ModelConfig& model) {
  const std::string prefix = has_norm_after(model) ? "Bert" : "MegatronBert";
  return {{prefix + "ForPreTraining", HeadKind::kPretraining},
          {prefix + "ForMaskedLM", HeadKind::kLanguageModel},
          {prefix + "ForSequenceClassification", HeadKind::kSequenceClassification},
          {prefix + "ForTokenClassification", HeadKind::kTokenClassification},
          {prefix + "ForQuestionAnswering", HeadKind::kQuestionAnswering},
          {prefix + "Model", HeadKind::kNone}};
}

void read_json(const std::string& model_type, ConfigJson& from, ModelConfig& model) {
  read_bert_like_json(from, model);
  if (model_type == "megatron-bert") model.norm_position = NormPosition::kBefore;
  model.max_positions = from.integer("max_position_embeddings");
  model.num_segments = from.integer("type_vocab_size", 2);
  if (model.num_segments == 2) model.num_segments = 0;
}

json write_json(const ModelConfig& model) {
  const bool is_bert = has_norm_after(model);
  json value = bert_like_json(is_bert ? "bert" : "megatron-bert", model);
  value["max_position_embeddings"] = model.max_positions;
  value["type_vocab_size"] = num_segments(model);
  if (is_bert) {
    value["position_embedding_type"] = "absolute";
    value["classifier_dropout"] = json();
  }
  return value;
}

void add_heads(TensorMap& map, const ModelConfig& model, const std::string& root,
               int64_t num_tokens) {
  if (model.has_language_head()) {
    add_linear(map, "head.transform", "cls.predictions.transform.dense", model.hidden_size);
    add_norm(map, model, "head.norm", "cls.predictions.transform.LayerNorm");
    map.add_whole("head.bias", "cls.predictions.bias", num_tokens);
  }
  if (traits(model).has_pooler) add_linear(map, "pooler", root + "pooler.dense", model.hidden_size);
  if (model.has_label_head()) add_label_head(map, model, "classifier");
  if (model.has_sentence_head()) add_linear(map, "sentence", "cls.seq_relationship", 2);
}

TensorMap tensor_map(const ModelConfig& model, int64_t num_tokens) {
  TensorMap map;
  map.root = "bert.";
  map.tied = {{"cls.predictions.decoder.weight", "embedding.token.weight"},
              {"cls.predictions.decoder.bias", "head.bias"}};
  // A buffer that counts positions, and the pooler where no head reads it.
  map.unread_endings = {"embeddings.position_ids", "bert.pooler.dense.weight",
                        "bert.pooler.dense.bias"};
  const std::string root = model.head == HeadKind::kNone ? "" : "bert.";  // the encoder by itself
  add_bert_like_encoder(map, model, root, "encoder.layer.", bert_names(model), num_tokens);
  if (!has_norm_after(model)) add_norm(map, model, "encoder.norm", root + "encoder.ln");
  add_heads(map, model, root, num_tokens);
  return map;
}

// Google's own files hold both heads, although they name the class of one.
HeadKind head_of(const SafetensorsFolder& files) {
  if (files.contains("cls.seq_relationship.weight")) return HeadKind::kPretraining;
  return files.contains("cls.predictions.bias") ? HeadKind::kLanguageModel : HeadKind::kNone;
}

void read_files(const SafetensorsFolder& files, ModelConfig& model) {
  model.head = head_of(files);
  if (model.head == HeadKind::kNone) model.pooler = have_pooler(files, "bert.");
}

}  // namespace

ModelFamily bert_family() {
  return {.kind = "bert",
          .summary =
              "bidirectional encoder, LayerNorm, learned positions and segments, "
              "exact GELU, biases, trained by masked tokens",
          .own_keys = {"norm_position", "num_segments", "pooler"},
          .traits = traits,
          .find_problem = find_bert_like_problem,
          .model_types = {"bert", "megatron-bert"},
          .classes = classes,
          .read_json = read_json,
          .write_json = write_json,
          .tensor_map = tensor_map,
          .read_files = read_files};
}

}  // namespace lmtrain

// RoBERTa (Liu et al., 2019): BERT without pairs of sentences, with positions that count from 2.
#include "models/families/bert_like.h"

namespace lmtrain {
namespace {

using nlohmann::json;

// transformers numbers positions from after the padding token, whose id is 1.
constexpr int64_t kPadToken = 1;
constexpr int64_t kFirstPosition = kPadToken + 1;

int64_t num_segments(const ModelConfig& model) {
  return model.num_segments == 0 ? 1 : model.num_segments;
}

ModelTraits traits(const ModelConfig& model) {
  ModelTraits traits = bert_like_traits(model);
  traits.first_position = kFirstPosition;
  traits.num_segments = num_segments(model);
  traits.has_pooler = (model.head == HeadKind::kNone && model.pooler) || model.classifies_texts();
  return traits;
}

std::vector<HeadClass> classes(const ModelConfig&) {
  return {{"RobertaForMaskedLM", HeadKind::kLanguageModel},
          {"RobertaForSequenceClassification", HeadKind::kSequenceClassification},
          {"RobertaForTokenClassification", HeadKind::kTokenClassification},
          {"RobertaForQuestionAnswering", HeadKind::kQuestionAnswering},
          {"RobertaModel", HeadKind::kNone}};
}

void read_json(const std::string&, ConfigJson& from, ModelConfig& model) {
  read_bert_like_json(from, model);
  from.must_be("pad_token_id", kPadToken);
  const int64_t positions = from.integer("max_position_embeddings");
  if (positions < kFirstPosition + 2)
    from.fail("max_position_embeddings", "leaves no position behind those of padding");
  model.max_positions = positions - kFirstPosition;
  model.num_segments = from.integer("type_vocab_size", 2);
  if (model.num_segments == 1) model.num_segments = 0;
}

json write_json(const ModelConfig& model) {
  json value = bert_like_json("roberta", model);
  value["max_position_embeddings"] = model.max_positions + kFirstPosition;
  value["type_vocab_size"] = num_segments(model);
  value["pad_token_id"] = kPadToken;
  return value;
}

// The class of a text is predicted by a dense layer and tanh on its first token, which lmtrain
// calls a pooler.
void add_heads(TensorMap& map, const ModelConfig& model, int64_t num_tokens) {
  if (model.has_language_head()) {
    add_linear(map, "head.transform", "lm_head.dense", model.hidden_size);
    add_norm(map, model, "head.norm", "lm_head.layer_norm");
    map.add_whole("head.bias", "lm_head.bias", num_tokens);
  }
  if (model.head == HeadKind::kNone && model.pooler)
    add_linear(map, "pooler", "pooler.dense", model.hidden_size);
  if (model.classifies_texts()) add_linear(map, "pooler", "classifier.dense", model.hidden_size);
  if (model.has_label_head())
    add_label_head(map, model, model.classifies_texts() ? "classifier.out_proj" : "classifier");
}

TensorMap tensor_map(const ModelConfig& model, int64_t num_tokens) {
  TensorMap map;
  map.root = "roberta.";
  map.tied = {{"lm_head.decoder.weight", "embedding.token.weight"},
              {"lm_head.decoder.bias", "head.bias"}};
  // A buffer that counts positions, and the pooler that no head reads.
  map.unread_endings = {"embeddings.position_ids", "roberta.pooler.dense.weight",
                        "roberta.pooler.dense.bias"};
  const std::string root = model.head == HeadKind::kNone ? "" : "roberta.";
  add_bert_like_encoder(map, model, root, "encoder.layer.", bert_names(model), num_tokens);
  add_heads(map, model, num_tokens);
  return map;
}

void read_files(const SafetensorsFolder& files, ModelConfig& model) {
  if (model.head == HeadKind::kNone) model.pooler = have_pooler(files, "roberta.");
}

}  // namespace

ModelFamily roberta_family() {
  return {.kind = "roberta",
          .summary = "bert without a sentence head, positions from 2, one segment",
          .own_keys = {"num_segments", "pooler"},
          .traits = traits,
          .find_problem = find_bert_like_problem,
          .model_types = {"roberta"},
          .classes = classes,
          .read_json = read_json,
          .write_json = write_json,
          .tensor_map = tensor_map,
          .read_files = read_files};
}

}  // namespace lmtrain

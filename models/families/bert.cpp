// BERT (Devlin et al., 2019): a bidirectional encoder with learned positions and segments, LayerNorm
// behind each residual sum and on the embeddings, exact GELU and biases, trained by masked tokens;
// with norm_position = before the form of Megatron-LM (Shoeybi et al., 2019).
#include "base/text.h"
#include "models/families/family.h"

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
  return {.objective = Objective::kMaskedTokens,
          .attention_span = AttentionSpan::kWhole,
          .positions = PositionKind::kLearned,
          .norm = NormKind::kLayer,
          .has_norm_after = has_norm_after(model),
          .activation = Activation::kGeluExact,
          .intermediate_size =
              model.feed_forward_size == 0 ? 4 * model.hidden_size : model.feed_forward_size,
          .has_biases = true,
          .num_segments = num_segments(model),
          .has_tied_embeddings = ties_embeddings(model, /*by_default=*/true),
          .has_pooler = model.head == HeadKind::kPretraining || model.head == HeadKind::kNone ||
                        model.classifies_texts(),
          .has_label_bias = true,
          .drops_before_labels = !model.answers_questions(),
          .residual_init_std = model.init_std};
}

std::optional<ModelProblem> find_bert_problem(const ModelConfig& model) {
  if (model.traits().has_tied_embeddings) return std::nullopt;
  return ModelProblem{{"model.embeddings"},
                      "model.embeddings = untied is not for bert, whose head is tied"};
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
  if (model_type == "megatron-bert") model.norm_position = NormPosition::kBefore;
  model.num_layers = from.integer("num_hidden_layers");
  model.num_heads = from.integer("num_attention_heads");
  model.hidden_size = from.integer("hidden_size");
  model.feed_forward_size = from.integer("intermediate_size");
  if (model.feed_forward_size == 4 * model.hidden_size) model.feed_forward_size = 0;
  model.max_positions = from.integer("max_position_embeddings");
  model.num_segments = from.integer("type_vocab_size", 2);
  if (model.num_segments == 2) model.num_segments = 0;
  model.norm_eps = from.real("layer_norm_eps", 1e-12);
  from.must_be("hidden_act", "gelu");
  from.must_be("position_embedding_type", "absolute");
  from.must_be("is_decoder", false);
  from.must_be("add_cross_attention", false);
  model.dropout = from.real("hidden_dropout_prob", 0.1);
  if (from.real("attention_probs_dropout_prob", 0.1) != model.dropout) {
    from.fail("hidden_dropout_prob",
              "differs from attention_probs_dropout_prob; lmtrain has one dropout");
  }
}

json write_json(const ModelConfig& model) {
  const ModelTraits of_model = traits(model);
  json value = {{"model_type", of_model.has_norm_after ? "bert" : "megatron-bert"},
                {"num_hidden_layers", model.num_layers},
                {"num_attention_heads", model.num_heads},
                {"hidden_size", model.hidden_size},
                {"intermediate_size", of_model.intermediate_size},
                {"max_position_embeddings", model.max_positions},
                {"type_vocab_size", of_model.num_segments},
                {"layer_norm_eps", model.norm_eps},
                {"hidden_act", "gelu"},
                {"hidden_dropout_prob", model.dropout},
                {"attention_probs_dropout_prob", model.dropout}};
  if (of_model.has_norm_after) {
    value["position_embedding_type"] = "absolute";
    value["classifier_dropout"] = json();
  }
  return value;
}

void add_block(TensorMap& map, const ModelConfig& model, const std::string& ours,
               const std::string& theirs) {
  const bool after = has_norm_after(model);
  add_norm(map, model, ours + ".attention.norm",
           theirs + (after ? ".attention.output.LayerNorm" : ".attention.ln"));
  for (const std::string kind : {".weight", ".bias"}) {
    int64_t place = 0;
    for (const std::string name : {"query", "key", "value"}) {
      map.add_slice({.parameter = ours + ".attention.qkv" + kind,
                     .name = theirs + ".attention.self." + name + kind,
                     .num_rows = model.hidden_size,
                     .dim = 1,
                     .start = place++,
                     .length = 1});
    }
  }
  add_linear(map, ours + ".attention.output", theirs + ".attention.output.dense",
             model.hidden_size);
  add_norm(map, model, ours + ".feed_forward.norm", theirs + (after ? ".output.LayerNorm" : ".ln"));
  add_linear(map, ours + ".feed_forward.up", theirs + ".intermediate.dense",
             traits(model).intermediate_size);
  add_linear(map, ours + ".feed_forward.down", theirs + ".output.dense", model.hidden_size);
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
  // Counted positions; a pooler where no head reads it.
  map.unread_endings = {"embeddings.position_ids", "bert.pooler.dense.weight",
                        "bert.pooler.dense.bias"};
  const std::string root = model.head == HeadKind::kNone ? "" : "bert.";  // the encoder by itself
  const std::string embeddings = root + "embeddings.";
  map.add_whole("embedding.token.weight", embeddings + "word_embeddings.weight", num_tokens);
  map.add_whole("embedding.position.weight", embeddings + "position_embeddings.weight",
                model.max_positions);
  map.add_whole("embedding.segment.weight", embeddings + "token_type_embeddings.weight",
                num_segments(model));
  if (has_norm_after(model)) add_norm(map, model, "embedding.norm", embeddings + "LayerNorm");
  for (int64_t i = 0; i < model.num_layers; ++i)
    add_block(map, model, cat("blocks.", i), cat(root, "encoder.layer.", i));
  if (!has_norm_after(model)) add_norm(map, model, "encoder.norm", root + "encoder.ln");
  add_heads(map, model, root, num_tokens);
  return map;
}

// Google's own files hold both heads under the class of one.
HeadKind head_of_files(const SafetensorsFolder& files) {
  if (files.contains("cls.seq_relationship.weight")) return HeadKind::kPretraining;
  return files.contains("cls.predictions.bias") ? HeadKind::kLanguageModel : HeadKind::kNone;
}

}  // namespace

ModelFamily bert_family() {
  return {.kind = "bert",
          .summary =
              "bidirectional encoder, LayerNorm, learned positions and segments, exact GELU, "
              "biases, trained by masked tokens",
          .own_keys = {"norm_position", "num_segments"},
          .traits = traits,
          .find_problem = find_bert_problem,
          .model_types = {"bert", "megatron-bert"},
          .classes = classes,
          .read_json = read_json,
          .write_json = write_json,
          .tensor_map = tensor_map,
          .head_of_files = head_of_files};
}

}  // namespace lmtrain

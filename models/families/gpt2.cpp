// GPT-2 (Radford et al., 2019): a decoder with LayerNorm in front of each part, learned positions,
// GELU in its tanh form, biases and tied embeddings.
#include "base/text.h"
#include "models/families/family.h"

namespace lmtrain {
namespace {

using nlohmann::json;

ModelTraits traits(const ModelConfig& model) {
  return {.objective = Objective::kNextToken,
          .attention_span = AttentionSpan::kPast,
          .positions = PositionKind::kLearned,
          .norm = NormKind::kLayer,
          .activation = Activation::kGeluTanh,
          .intermediate_size =
              model.feed_forward_size == 0 ? 4 * model.hidden_size : model.feed_forward_size,
          .has_biases = true,
          .has_tied_embeddings = ties_embeddings(model, /*by_default=*/true),
          .has_label_bias = !model.classifies_texts(),
          .drops_before_labels = model.head == HeadKind::kTokenClassification,
          .residual_init_std = scaled_residual_std(model)};
}

std::vector<HeadClass> classes(const ModelConfig&) {
  return {{"GPT2LMHeadModel", HeadKind::kLanguageModel},
          {"GPT2Model", HeadKind::kLanguageModel},
          {"GPT2ForSequenceClassification", HeadKind::kSequenceClassification},
          {"GPT2ForTokenClassification", HeadKind::kTokenClassification},
          {"GPT2ForQuestionAnswering", HeadKind::kQuestionAnswering}};
}

void read_json(const std::string&, ConfigJson& from, ModelConfig& model) {
  model.num_layers = from.integer("n_layer");
  model.num_heads = from.integer("n_head");
  model.hidden_size = from.integer("n_embd");
  model.max_positions = from.integer("n_positions");
  model.feed_forward_size = from.integer("n_inner", 0);
  model.norm_eps = from.real("layer_norm_epsilon", 1e-5);
  // All of them are the form with tanh.
  from.must_be_one_of("activation_function", {"gelu_new", "gelu_pytorch_tanh", "gelu_fast"});
  from.must_be("scale_attn_weights", true);
  from.must_be("scale_attn_by_inverse_layer_idx", false);
  from.must_be("add_cross_attention", false);
  model.dropout = from.real("resid_pdrop", 0.1);
  note_other_dropouts(from, model, {"embd_pdrop", "attn_pdrop"}, 0.1);
}

json write_json(const ModelConfig& model) {
  return {{"model_type", "gpt2"},
          {"n_layer", model.num_layers},
          {"n_head", model.num_heads},
          {"n_embd", model.hidden_size},
          {"n_positions", model.max_positions},
          {"n_ctx", model.max_positions},  // converters of older files ask for it
          {"n_inner", model.feed_forward_size == 0 ? json() : json(model.feed_forward_size)},
          {"layer_norm_epsilon", model.norm_eps},
          {"activation_function", "gelu_new"},
          {"resid_pdrop", model.dropout},
          {"embd_pdrop", model.dropout},
          {"attn_pdrop", model.dropout},
          {"scale_attn_weights", true},
          {"scale_attn_by_inverse_layer_idx", false},
          {"reorder_and_upcast_attn", false}};
}

// Conv1D stores weights [inputs, outputs]; c_attn has all queries, then all keys, then all values.
void add_block(TensorMap& map, const ModelConfig& model, const std::string& ours,
               const std::string& theirs) {
  const int64_t hidden = model.hidden_size;
  add_norm(map, model, ours + ".attention.norm", theirs + ".ln_1");
  for (const std::string kind : {".weight", ".bias"}) {
    for (int64_t i = 0; i < 3; ++i) {
      map.add_slice({.parameter = ours + ".attention.qkv" + kind,
                     .name = theirs + ".attn.c_attn" + kind,
                     .is_transposed = kind == ".weight",
                     .first_row = i * hidden,
                     .num_rows = hidden,
                     .dim = 1,
                     .start = i,
                     .length = 1});
    }
  }
  const auto linear = [&](const std::string& to, const std::string& from, int64_t rows) {
    add_linear(map, ours + to, theirs + from, rows, /*is_transposed=*/true);
  };
  linear(".attention.output", ".attn.c_proj", hidden);
  add_norm(map, model, ours + ".feed_forward.norm", theirs + ".ln_2");
  linear(".feed_forward.up", ".mlp.c_fc", model.traits().intermediate_size);
  linear(".feed_forward.down", ".mlp.c_proj", hidden);
}

TensorMap tensor_map(const ModelConfig& model, int64_t num_tokens) {
  TensorMap map;
  map.root = "transformer.";
  map.tied = {{"lm_head.weight", "embedding.token.weight"}};
  map.unread_endings = {".attn.bias", ".attn.masked_bias"};  // causal masks
  map.add_whole("embedding.token.weight", "transformer.wte.weight", num_tokens);
  map.add_whole("embedding.position.weight", "transformer.wpe.weight", model.max_positions);
  for (int64_t i = 0; i < model.num_layers; ++i)
    add_block(map, model, cat("blocks.", i), cat("transformer.h.", i));
  add_norm(map, model, "head.norm", "transformer.ln_f");
  if (model.has_label_head()) {
    add_label_head(map, model, model.classifies_texts() ? "score" : "classifier");
  } else if (!model.traits().has_tied_embeddings) {
    map.add_whole("head.weight", "lm_head.weight", num_tokens);
  }
  return map;
}

}  // namespace

ModelFamily gpt2_family() {
  return {.kind = "gpt2",
          .summary = "decoder, LayerNorm, learned positions, GELU, biases",
          .own_keys = {},
          .traits = traits,
          .model_types = {"gpt2"},
          .classes = classes,
          .read_json = read_json,
          .write_json = write_json,
          .tensor_map = tensor_map};
}

}  // namespace lmtrain

#include "models/huggingface/model_json.h"

#include <charconv>
#include <span>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"

namespace lmtrain {
namespace {

using nlohmann::json;

constexpr int64_t kMaxSize = int64_t{1} << 24;

// Values of config.json by key. Keys that nobody asks for are left alone: transformers writes many
// that say nothing about the model.
class Reader {
 public:
  Reader(const json& value, const std::string& place) : object_(value, place) {}

  int64_t integer(const std::string& key) {
    return json_integer(object_.required(key), 1, kMaxSize, what(key));
  }
  int64_t integer(const std::string& key, int64_t when_absent) {
    return is_null(key) ? when_absent : integer(key);
  }
  double real(const std::string& key, double when_absent) {
    if (is_null(key)) return when_absent;
    const json& value = object_.required(key);
    if (!value.is_number()) object_.fail(key, cat("must be a number, is ", show_value(value)));
    return value.get<double>();
  }
  std::string text(const std::string& key, const std::string& when_absent) {
    return is_null(key) ? when_absent : object_.text(key);
  }
  bool boolean(const std::string& key, bool when_absent) {
    return is_null(key) ? when_absent : object_.boolean(key, when_absent);
  }
  // A setting of which lmtrain's model has one value only.
  void must_be(const std::string& key, const json& value) {
    if (is_null(key) || object_.required(key) == value) return;
    object_.fail(key, cat("is ", show_value(object_.required(key)), "; lmtrain's model has ",
                          show_value(value)));
  }
  void must_be_absent(const std::string& key) {
    if (!is_null(key))
      object_.fail(key,
                   cat("is ", show_value(object_.required(key)), "; lmtrain has no such thing"));
  }
  bool is_null(const std::string& key) {
    const json* value = object_.find(key);
    return value == nullptr || value->is_null();
  }
  const json& required(const std::string& key) { return object_.required(key); }
  std::string what(const std::string& key) const { return cat(object_.place(), ".", key); }
  [[noreturn]] void fail(const std::string& key, const std::string& problem) const {
    object_.fail(key, problem);
  }

 private:
  JsonObject object_;
};

// Classes of transformers: a family's prefix and how it ends by the head.
struct HeadClass {
  const char* suffix;
  const char* head;  // in lmtrain
};
constexpr HeadClass kEncoderClasses[] = {{"ForPreTraining", "pretraining"},
                                         {"ForMaskedLM", "language_model"},
                                         {"ForSequenceClassification", "sequence_classification"},
                                         {"ForTokenClassification", "token_classification"},
                                         {"ForQuestionAnswering", "question_answering"},
                                         {"Model", "none"}};
// The first of a head is what export writes.
constexpr HeadClass kDecoderClasses[] = {{"ForCausalLM", "language_model"},
                                         {"LMHeadModel", "language_model"},
                                         {"Model", "language_model"},
                                         {"ForSequenceClassification", "sequence_classification"},
                                         {"ForTokenClassification", "token_classification"},
                                         {"ForQuestionAnswering", "question_answering"}};

std::span<const HeadClass> classes_of(const ModelConfig& model) {
  if (model.is_bert()) return kEncoderClasses;
  return kDecoderClasses;
}

std::string prefix_of(const ModelConfig& model) {
  if (model.is_bert()) return model.has_norm_after() ? "Bert" : "MegatronBert";
  if (model.is_llama()) return model.qk_norm ? "Qwen3" : "Llama";
  return "GPT2";
}

std::string class_name(const ModelConfig& model) {
  if (model.kind == "gpt2" && model.has_language_head()) return "GPT2LMHeadModel";
  for (const HeadClass& one : classes_of(model)) {
    if (model.head == one.head) return prefix_of(model) + one.suffix;
  }
  return "";
}

// Labels by their number; "LABEL_0", "LABEL_1" where config.json is silent, as in transformers.
std::vector<std::string> read_labels(Reader& from) {
  if (from.is_null("id2label")) return {"LABEL_0", "LABEL_1"};
  const json& names = from.required("id2label");
  if (!names.is_object() || names.empty()) from.fail("id2label", "must name the labels");
  std::vector<std::string> labels(names.size());
  for (const auto& [number, name] : names.items()) {
    size_t index = labels.size();
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), index);
    const bool is_known = error == std::errc() && end == number.data() + number.size() &&
                          index < labels.size() && name.is_string() && labels[index].empty();
    if (!is_known || name.get<std::string>().empty())
      from.fail("id2label", "must map 0, 1, .. to names");
    labels[index] = name.get<std::string>();
  }
  return labels;
}

// The head, by the class that the folder is of; without one a language model.
void read_head(Reader& from, ModelConfig& model) {
  if (from.is_null("architectures")) return;
  const json& names = from.required("architectures");
  if (!names.is_array() || names.size() != 1 || !names[0].is_string())
    from.fail("architectures", "must be a list of one name");
  const auto name = names[0].get<std::string>();
  std::vector<std::string> known;
  const HeadClass* found = nullptr;
  for (const HeadClass& one : classes_of(model)) {
    known.push_back(prefix_of(model) + one.suffix);
    if (name == known.back()) found = &one;
  }
  if (found == nullptr)
    from.fail("architectures", cat(show_text(name), " is not one of ", join(known, ", ")));
  model.head = found->head;
  if (!model.has_label_head() || model.answers_questions()) return;
  model.labels = read_labels(from);
  if (!from.is_null("classifier_dropout") &&
      from.real("classifier_dropout", 0.0) != model.dropout) {
    from.fail("classifier_dropout", "differs from the model's other dropout; lmtrain has one");
  }
  const std::string problem = from.text("problem_type", "");
  if (!model.classifies_texts() || problem.empty()) return;
  const std::string ours = model.is_regression() ? "regression" : "single_label_classification";
  if (problem != ours) {
    from.fail("problem_type", cat("is ", show_text(problem), "; with ", model.labels.size(),
                                  " labels lmtrain has ", ours));
  }
}

void write_labels(const ModelConfig& model, json& value) {
  if (model.labels.empty()) return;
  json names = json::object();
  json numbers = json::object();
  for (size_t i = 0; i < model.labels.size(); ++i) {
    names[std::to_string(i)] = model.labels[i];
    numbers[model.labels[i]] = i;
  }
  value["id2label"] = names;
  value["label2id"] = numbers;
  value["classifier_dropout"] = model.dropout;
  if (model.classifies_texts())
    value["problem_type"] = model.is_regression() ? "regression" : "single_label_classification";
}

void read_gpt2(Reader& from, ModelConfig& model) {
  model.kind = "gpt2";
  model.num_layers = from.integer("n_layer");
  model.num_heads = from.integer("n_head");
  model.hidden_size = from.integer("n_embd");
  model.max_positions = from.integer("n_positions");
  model.feed_forward_size = from.integer("n_inner", 0);
  model.norm_eps = from.real("layer_norm_epsilon", 1e-5);
  from.must_be("activation_function", "gelu_new");
  from.must_be("scale_attn_weights", true);
  from.must_be("scale_attn_by_inverse_layer_idx", false);
  from.must_be("add_cross_attention", false);
  // One probability stands for all three.
  const double dropout = from.real("resid_pdrop", 0.1);
  if (from.real("embd_pdrop", 0.1) != dropout || from.real("attn_pdrop", 0.1) != dropout)
    from.fail("resid_pdrop", "differs from embd_pdrop or attn_pdrop; lmtrain has one dropout");
  model.dropout = dropout;
}

void read_rope(const json& value, const std::string& place, RopeConfig& rope) {
  Reader from(value, place);
  rope.theta = from.real("rope_theta", rope.theta);
  const std::string kind = from.text("rope_type", from.text("type", "default"));
  if (kind == "default") return;
  if (kind != "linear" && kind != "llama3") {
    from.fail("rope_type",
              cat(show_text(kind), " is not available; default, linear and llama3 are"));
  }
  rope.scaling = kind;
  rope.factor = from.real("factor", 1.0);
  if (kind == "linear") return;
  rope.low_frequency_factor = from.real("low_freq_factor", 1.0);
  rope.high_frequency_factor = from.real("high_freq_factor", 4.0);
  rope.original_positions = from.integer("original_max_position_embeddings");
}

void read_llama(Reader& from, ModelConfig& model, bool is_qwen3) {
  model.kind = "llama";
  model.qk_norm = is_qwen3;
  model.num_layers = from.integer("num_hidden_layers");
  model.num_heads = from.integer("num_attention_heads");
  model.num_kv_heads = from.integer("num_key_value_heads", model.num_heads);
  model.hidden_size = from.integer("hidden_size");
  model.head_size = from.integer("head_dim", 0);
  if (model.head_size == model.hidden_size / model.num_heads) model.head_size = 0;
  model.feed_forward_size = from.integer("intermediate_size");
  model.max_positions = from.integer("max_position_embeddings");
  model.norm_eps = from.real("rms_norm_eps", 1e-6);
  model.dropout = from.real("attention_dropout", 0.0);
  if (model.dropout != 0.0)
    from.fail("attention_dropout", "is not 0; lmtrain's dropout is not of attention alone");
  from.must_be("hidden_act", "silu");
  from.must_be("attention_bias", false);
  from.must_be("mlp_bias", false);
  from.must_be("use_sliding_window", false);
  from.must_be_absent("sliding_window");
  model.rope.theta = from.real("rope_theta", 10000.0);
  for (const std::string key : {"rope_scaling", "rope_parameters"}) {  // transformers 4 and 5
    if (!from.is_null(key)) read_rope(from.required(key), from.what(key), model.rope);
  }
}

// bert, or with is_megatron the form with norms before, megatron-bert.
void read_bert(Reader& from, ModelConfig& model, bool is_megatron) {
  model.kind = "bert";
  model.norm_position = is_megatron ? "before" : "auto";
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
  const double dropout = from.real("hidden_dropout_prob", 0.1);
  if (from.real("attention_probs_dropout_prob", 0.1) != dropout) {
    from.fail("hidden_dropout_prob",
              "differs from attention_probs_dropout_prob; lmtrain has one dropout");
  }
  model.dropout = dropout;
}

json rope_to_json(const RopeConfig& rope) {
  json value = {{"rope_theta", rope.theta},
                {"rope_type", rope.scaling == "none" ? "default" : rope.scaling}};
  if (rope.scaling != "none") value["factor"] = rope.factor;
  if (rope.scaling == "llama3") {
    value["low_freq_factor"] = rope.low_frequency_factor;
    value["high_freq_factor"] = rope.high_frequency_factor;
    value["original_max_position_embeddings"] = rope.original_positions;
  }
  return value;
}

json gpt2_to_json(const ModelConfig& model) {
  return {{"model_type", "gpt2"},
          {"n_layer", model.num_layers},
          {"n_head", model.num_heads},
          {"n_embd", model.hidden_size},
          {"n_positions", model.max_positions},
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

json llama_to_json(const ModelConfig& model) {
  json value = {{"model_type", model.qk_norm ? "qwen3" : "llama"},
                {"num_hidden_layers", model.num_layers},
                {"num_attention_heads", model.num_heads},
                {"num_key_value_heads", model.kv_heads()},
                {"hidden_size", model.hidden_size},
                {"head_dim", model.head_width()},
                {"intermediate_size", model.intermediate_size()},
                {"max_position_embeddings", model.max_positions},
                {"rms_norm_eps", model.norm_eps},
                {"hidden_act", "silu"},
                {"attention_bias", false},
                {"attention_dropout", 0.0},
                {"rope_parameters", rope_to_json(model.rope)}};
  if (!model.qk_norm) value["mlp_bias"] = false;
  return value;
}

json bert_to_json(const ModelConfig& model) {
  const bool is_megatron = !model.has_norm_after();
  json value = {{"model_type", is_megatron ? "megatron-bert" : "bert"},
                {"num_hidden_layers", model.num_layers},
                {"num_attention_heads", model.num_heads},
                {"hidden_size", model.hidden_size},
                {"intermediate_size", model.intermediate_size()},
                {"max_position_embeddings", model.max_positions},
                {"type_vocab_size", model.segments()},
                {"layer_norm_eps", model.norm_eps},
                {"hidden_act", "gelu"},
                {"hidden_dropout_prob", model.dropout},
                {"attention_probs_dropout_prob", model.dropout}};
  if (!is_megatron) {
    value["position_embedding_type"] = "absolute";
    value["classifier_dropout"] = json();
  }
  return value;
}

}  // namespace

HuggingfaceModel model_from_json(const json& value, const std::string& place) {
  Reader from(value, place);
  HuggingfaceModel model;
  const std::string kind = from.text("model_type", "");
  if (kind == "gpt2") {
    read_gpt2(from, model.config);
  } else if (kind == "llama" || kind == "qwen3") {
    read_llama(from, model.config, kind == "qwen3");
  } else if (kind == "bert" || kind == "megatron-bert") {
    read_bert(from, model.config, kind == "megatron-bert");
  } else {
    from.fail("model_type", cat(show_text(kind),
                                " is not available; gpt2, llama, qwen3, bert and "
                                "megatron-bert are"));
  }
  read_head(from, model.config);
  model.num_tokens = from.integer("vocab_size");
  model.config.vocab_size = model.num_tokens;
  model.config.init_std = from.real("initializer_range", 0.02);
  const bool ties = from.boolean("tie_word_embeddings", !model.config.is_llama());
  if (ties != model.config.has_tied_embeddings())
    model.config.embeddings = ties ? "tied" : "untied";
  return model;
}

json model_to_json(const ModelConfig& config, int64_t num_tokens, const TokenIds& ids,
                   const std::string& type) {
  const auto id = [](int64_t value) { return value < 0 ? json() : json(value); };
  json value = config.is_bert()    ? bert_to_json(config)
               : config.is_llama() ? llama_to_json(config)
                                   : gpt2_to_json(config);
  value["architectures"] = {class_name(config)};
  write_labels(config, value);
  value["vocab_size"] = num_tokens;
  value["initializer_range"] = config.init_std;
  value["tie_word_embeddings"] = config.has_tied_embeddings();
  if (config.is_bert()) {
    value["pad_token_id"] = id(ids.pad);
  } else {
    value["bos_token_id"] = id(ids.begin);
    value["eos_token_id"] = id(ids.end);
    // By it transformers finds a text's last token in a batch.
    if (config.has_label_head()) value["pad_token_id"] = id(ids.pad >= 0 ? ids.pad : ids.end);
  }
  value["use_cache"] = true;
  value["dtype"] = type;
  return value;
}

}  // namespace lmtrain

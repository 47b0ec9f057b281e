// Config section `model`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/config_fields.h"
#include "models/lora_config.h"
#include "models/model_traits.h"

namespace lmtrain {

enum class RopeScaling { kNone, kLinear, kLlama3 };
constexpr auto choice_names(RopeScaling) {
  return std::to_array<std::string_view>({"none", "linear", "llama3"});
}

enum class Embeddings { kAuto, kTied, kUntied };
constexpr auto choice_names(Embeddings) {
  return std::to_array<std::string_view>({"auto", "tied", "untied"});
}

enum class NormPosition { kAuto, kBefore, kAfter };
constexpr auto choice_names(NormPosition) {
  return std::to_array<std::string_view>({"auto", "before", "after"});
}

enum class HeadKind {
  kLanguageModel,
  kPretraining,
  kSequenceClassification,
  kTokenClassification,
  kQuestionAnswering,
  kNone
};
constexpr auto choice_names(HeadKind) {
  return std::to_array<std::string_view>({"language_model", "pretraining",
                                          "sequence_classification", "token_classification",
                                          "question_answering", "none"});
}

// Rotary positions (Su et al., "RoFormer", 2021) and how their angles are stretched beyond the
// trained length.
struct RopeConfig {
  double theta = 10000.0;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;
  double low_frequency_factor = 1.0;
  double high_frequency_factor = 4.0;
  int64_t original_positions = 8192;

  void describe(Fields& f) {
    f.real("theta", theta, {.min = 1.0, .max = 1e12, .min_excluded = true},
           "Base of the wavelengths; 500000 in Llama 3.");
    f.choice("scaling", scaling,
             "Stretching: linear divides every angle by factor; "
             "llama3 divides those of long wavelengths only.");
    f.real("factor", factor, {.min = 1.0, .max = 1e6}, "How much angles are stretched.");
    f.real("low_frequency_factor", low_frequency_factor,
           {.min = 0.0, .max = 1e6, .min_excluded = true},
           "llama3: wavelengths over original_positions / this are divided by factor.");
    f.real("high_frequency_factor", high_frequency_factor,
           {.min = 0.0, .max = 1e6, .min_excluded = true},
           "llama3: wavelengths under original_positions / this are left alone.");
    f.integer("original_positions", original_positions, {.min = 1, .max = 1 << 24},
              "llama3: positions before stretching.");
  }
};

// The values of model.kind, one for each family of models/families, and a text that describes them:
// "gpt2: decoder, LayerNorm, ..; llama: ..".
std::vector<std::string> model_kinds();
std::string model_kinds_text();

struct ModelConfig {
  std::string init_from;
  std::string kind = "gpt2";
  int64_t num_layers = 6;
  int64_t num_heads = 6;
  int64_t num_kv_heads = 0;
  int64_t head_size = 0;
  int64_t hidden_size = 384;
  int64_t feed_forward_size = 0;
  int64_t max_positions = 256;
  int64_t vocab_size = 0;
  Embeddings embeddings = Embeddings::kAuto;
  HeadKind head = HeadKind::kLanguageModel;
  std::vector<std::string> labels;
  NormPosition norm_position = NormPosition::kAuto;
  int64_t num_segments = 0;
  bool pooler = true;
  bool qk_norm = false;
  int64_t sliding_window = 0;
  RopeConfig rope;
  double dropout = 0.0;
  double norm_eps = 1e-5;
  double init_std = 0.02;
  LoraConfig lora;  // a section of its own in the config

  // Returns the config completed by the family of this kind.
  ModelTraits traits() const;

  bool has_language_head() const {
    return head == HeadKind::kLanguageModel || head == HeadKind::kPretraining;
  }
  bool has_sentence_head() const { return head == HeadKind::kPretraining; }
  // Whether the head predicts labels of texts, labels of tokens, or an answer's first and last
  // token.
  bool has_label_head() const {
    return classifies_texts() || head == HeadKind::kTokenClassification || answers_questions();
  }
  bool classifies_texts() const { return head == HeadKind::kSequenceClassification; }
  bool answers_questions() const { return head == HeadKind::kQuestionAnswering; }
  bool is_regression() const { return classifies_texts() && labels.size() == 1; }
  // Outputs of the label head. Question answering has two per token: how likely the token is the
  // answer's first one, and its last.
  int64_t num_labels() const {
    return answers_questions() ? 2 : static_cast<int64_t>(labels.size());
  }
  // Whether the token table also serves the language head.
  bool has_tied_head() const { return traits().has_tied_embeddings && has_language_head(); }
  int64_t head_width() const { return head_size == 0 ? hidden_size / num_heads : head_size; }
  int64_t kv_heads() const { return num_kv_heads == 0 ? num_heads : num_kv_heads; }

  void describe(Fields& f) {
    f.text("init_from", init_from,
           "Folder of transformers (config.json, safetensors) or checkpoint "
           "whose weights a new run begins with; "
           "the keys of this section but vocab_size, head, dropout and init_std, "
           "and the tokenizer where none is named, are then its own.");
    f.choice("kind", kind, model_kinds(), "Architecture. " + model_kinds_text() + ".");
    f.integer("num_layers", num_layers, {.min = 1, .max = 1000}, "Transformer blocks.");
    f.integer("num_heads", num_heads, {.min = 1, .max = 1024},
              "Attention heads; must divide hidden_size where head_size is 0.");
    f.integer("num_kv_heads", num_kv_heads, {.min = 0, .max = 1024},
              "llama, qwen2, mistral: heads of keys and values, "
              "each shared by num_heads / num_kv_heads query heads; 0 takes num_heads.");
    f.integer("head_size", head_size, {.min = 0, .max = 1 << 12},
              "llama, mistral: width of a head; 0 takes hidden_size / num_heads.");
    f.integer("hidden_size", hidden_size, {.min = 1, .max = 1 << 17},
              "Width of the residual stream.");
    f.integer("feed_forward_size", feed_forward_size, {.min = 0, .max = 1 << 20},
              "Width between the projections of the feed-forward part; "
              "0 takes 4 hidden_size in gpt2 and the encoders, "
              "and 8/3 hidden_size, up to a multiple of 256, in llama, qwen2 and mistral.");
    f.integer("max_positions", max_positions, {.min = 2, .max = 1 << 20},
              "Longest sequence, and where positions are learned their number; "
              "at least data.sequence_length.");
    f.integer(
        "vocab_size", vocab_size, {.min = 0, .max = 1 << 24},
        "Rows of the embedding; 0 takes the tokenizer's vocabulary, a larger number pads it.");
    f.choice("embeddings", embeddings,
             "Whether the output head shares the table of the token embedding; "
             "auto: tied in gpt2 and the encoders, untied in llama, qwen2 and mistral.");
    f.choice("head", head,
             "What the model predicts, by the layer behind its last block. "
             "language_model: the next token, in encoders the masked one; "
             "pretraining: bert's masked token and pair of sentences (data.pairs); "
             "sequence_classification: one of the labels of a text or pair of texts, "
             "or with one label a number; "
             "token_classification: a label of each token; "
             "question_answering: the first and last token of an answer; "
             "none: nothing, there is no such layer but a pooler, as in an imported encoder. "
             "The heads of labels follow from task; lmtrain predict asks them.");
    f.texts("labels", labels,
            "Names of the labels of sequence_classification and token_classification, in their "
            "order; without any, those of the training texts.");
    f.choice("norm_position", norm_position,
             "bert: LayerNorm after each residual sum, as published (auto), "
             "or before each part with one at the end, as in Megatron-LM.");
    f.integer("num_segments", num_segments, {.min = 0, .max = 16},
              "bert, roberta: kinds of segment that tokens are told apart by; "
              "0 takes 2 in bert, 1 in roberta.");
    f.boolean("pooler", pooler,
              "bert, roberta with head: none: whether there is a pooler, a layer on the first "
              "token; false in transformers' models of add_pooling_layer=False.");
    f.boolean("qk_norm", qk_norm,
              "llama: RMSNorm of each head's queries and keys before rotation (as in Qwen3).");
    f.integer("sliding_window", sliding_window, {.min = 0, .max = 1 << 24},
              "mistral: keys that a query sees at most, its own included; 0: all before it.");
    f.section("rope", rope, "llama, qwen2, mistral: rotary positions.");
    f.real("dropout", dropout, {.min = 0.0, .max = 1.0, .max_excluded = true},
           "Probability of dropping an element of embeddings, attention and residual branches.");
    f.real("norm_eps", norm_eps, {.min = 0.0, .max = 1.0, .min_excluded = true},
           "Added to the variance in LayerNorm, to the mean square in RMSNorm.");
    f.real("init_std", init_std, {.min = 0.0, .max = 10.0, .min_excluded = true},
           "Standard deviation of initial weights; "
           "residual projections use init_std / sqrt(2 num_layers).");
  }
};

// A combination of settings that is not possible.
struct ModelProblem {
  std::vector<std::string> keys;  // such as "model.hidden_size"; the likeliest cause comes first
  std::string text;               // what is wrong and what to do
};

// Returns the first problem, if there is one. A setting that this kind of model would ignore is
// also a problem.
std::optional<ModelProblem> find_problem(const ModelConfig& model);

}  // namespace lmtrain

// What distinguishes one family of models from another: a config completed by its family
// (models/families). Blocks read these traits, so that no other code asks which family a model is
// of.
#pragma once

#include <cstdint>

namespace lmtrain {

// What the language head learns. It also says what the model is: a decoder, which predicts each
// next token, or an encoder, which predicts masked tokens.
enum class Objective { kNextToken, kMaskedTokens };

// Which keys a query of attention sees within its document.
enum class AttentionSpan {
  kPast,  // the query's own key and those before it
  kWhole,
};

enum class PositionKind { kLearned, kRotary };
enum class NormKind { kLayer, kRootMeanSquare };
enum class PoolerActivation { kTanh, kRelu };
enum class Activation { kGeluTanh, kGeluExact, kSwiGlu };

struct ModelTraits {
  Objective objective = Objective::kNextToken;
  AttentionSpan attention_span = AttentionSpan::kPast;
  int64_t attention_window = 0;  // keys a query sees at most, its own included; 0: all
  PositionKind positions = PositionKind::kLearned;
  int64_t first_position = 0;  // learned positions count from here
  NormKind norm = NormKind::kLayer;
  // Whether a block's norms follow its residual sums, as in the original transformer.
  bool has_norm_after = false;
  Activation activation = Activation::kGeluTanh;
  int64_t intermediate_size = 0;  // width between the two projections of the feed-forward part
  bool has_biases = true;         // of all linear layers
  bool has_qkv_biases = false;    // of queries, keys and values, where the others have none
  int64_t num_segments = 0;       // kinds of segment that tokens are told apart by; 0: none
  bool has_tied_embeddings = true;
  bool has_pooler = false;  // for the heads that read a text as one vector
  PoolerActivation pooler_activation = PoolerActivation::kTanh;
  // Whether a label head has a bias, and whether dropout precedes it.
  bool has_label_bias = true;
  bool drops_before_labels = true;
  // The standard deviation of the initial weights of projections back onto the residual stream.
  double residual_init_std = 0.02;

  bool predicts_next_token() const { return objective == Objective::kNextToken; }
  bool has_gate() const { return activation == Activation::kSwiGlu; }
};

}  // namespace lmtrain

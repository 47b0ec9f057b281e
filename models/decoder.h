// The decoder of autoregressive language models, normalised before each part of a block:
//   GPT-2 (Radford et al., 2019)     LayerNorm, learned positions, GELU (tanh form), biases, tied
//                                    embeddings
//   Llama (Touvron et al., 2023; Grattafiori et al., "Llama 3", 2024)
//                                    RMSNorm, rotary positions, SwiGLU, grouped queries, no biases
// Initial weights are normal with std init_std, residual projections scaled by 1 / sqrt(2 layers)
// (GPT-2).
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include <ATen/core/Tensor.h>

#include "models/attention.h"
#include "models/dropout.h"
#include "models/embedding.h"
#include "models/feed_forward.h"
#include "models/model_config.h"
#include "models/norm.h"
#include "models/vocab_loss.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// What a decoder reads of a micro-batch, on the model's device.
struct DecoderInput {
  at::Tensor ids;        // int64 [samples, positions]
  at::Tensor positions;  // int64 [samples, positions], below max_positions
  AttentionMask mask;
  DropoutContext dropout;
};

// Sequences that begin at position 0, each token seeing all before it, without dropout. ids: int64
// [samples, positions].
DecoderInput whole_sequences(const at::Tensor& ids);

class Decoder {
 public:
  // Declares all parameters in `store`; config.vocab_size rows of the embedding, of which the first
  // `num_tokens` are the tokenizer's. Both outlive the model.
  Decoder(const ModelConfig& config, int64_t num_tokens, ParameterStore& store,
          Communicator& tensor_axis);

  // [samples, positions, hidden]: what the head reads.
  at::Tensor hidden(const DecoderInput& input) const;
  const VocabHead& head() const { return head_; }

 private:
  struct Block {
    Block(ParameterStore& store, const std::string& name, const ModelConfig& config,
          Communicator& tensor_axis);
    at::Tensor operator()(const at::Tensor& x, const AttentionContext& context,
                          const DropoutContext& dropout, int64_t site) const;

    ParameterUnit& unit;
    Norm attention_norm;
    SelfAttention attention;
    Norm feed_forward_norm;
    FeedForward feed_forward;
  };

  std::unique_ptr<Communicator> whole_ = make_single_communicator();  // positions are never cut
  at::ScalarType compute_type_;
  ParameterUnit& embedding_unit_;
  Parameter& token_table_;
  Parameter* position_table_;      // learned positions, or null
  at::Tensor rotary_frequencies_;  // of rotary ones, else undefined
  std::deque<Block> blocks_;
  ParameterUnit& head_unit_;
  Norm final_norm_;
  VocabHead head_;
  Communicator& tensor_axis_;
};

}  // namespace lmtrain

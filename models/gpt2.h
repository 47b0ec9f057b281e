// GPT-2 (Radford et al., 2019): learned positions, pre-LayerNorm blocks, GELU (tanh form), tied
// embeddings; initial weights normal with std 0.02, residual projections scaled by 1 / sqrt(2
// layers).
#pragma once

#include <deque>

#include <ATen/core/Tensor.h>

#include "models/attention.h"
#include "models/dropout.h"
#include "models/embedding.h"
#include "models/layer_norm.h"
#include "models/linear.h"
#include "models/model_config.h"
#include "models/vocab_loss.h"
#include "parallel/mesh.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// What a decoder reads of a micro-batch, on the model's device: int64 [samples, positions].
struct DecoderInput {
  at::Tensor ids;
  at::Tensor positions;
  DropoutContext dropout;
};

class Gpt2 {
 public:
  // Declares all parameters in `store`; config.vocab_size rows of the embedding, of which the first
  // `num_tokens` are the tokenizer's. Both outlive the model.
  Gpt2(const ModelConfig& config, int64_t num_tokens, ParameterStore& store,
       Communicator& tensor_axis);

  // [samples, positions, hidden]: what the head reads.
  at::Tensor hidden(const DecoderInput& input) const;
  const VocabHead& head() const { return head_; }

 private:
  struct Block {
    Block(ParameterStore& store, const std::string& name, const ModelConfig& config,
          Communicator& tensor_axis);
    at::Tensor operator()(const at::Tensor& x, const DropoutContext& context, int64_t site) const;

    ParameterUnit& unit;
    LayerNorm attention_norm;
    CausalSelfAttention attention;
    LayerNorm feed_forward_norm;
    Linear up;
    Linear down;
  };

  std::unique_ptr<Communicator> whole_ = make_single_communicator();  // positions are never cut
  ParameterUnit& embedding_unit_;
  Parameter& token_table_;
  Parameter& position_table_;
  Embedding token_embedding_;
  Embedding position_embedding_;
  std::deque<Block> blocks_;
  LayerNorm final_norm_;
  VocabHead head_;
};

}  // namespace lmtrain

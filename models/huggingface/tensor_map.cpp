#include "models/huggingface/tensor_map.h"

#include <ATen/ATen.h>

#include "base/text.h"

namespace lmtrain {
namespace {

// Collects the parts of one parameter after another.
class Parts {
 public:
  // A parameter that is one whole tensor of `rows` rows.
  void whole(const std::string& parameter, const std::string& name, int64_t rows,
             bool is_transposed = false) {
    parts_.push_back({parameter, name, is_transposed, 0, rows, 0, 0, rows});
  }
  void slice(TensorPart part) { parts_.push_back(std::move(part)); }
  std::vector<TensorPart> take() { return std::move(parts_); }

 private:
  std::vector<TensorPart> parts_;
};

void add_norm(Parts& parts, const ModelConfig& config, const std::string& ours,
              const std::string& theirs) {
  parts.whole(ours + ".weight", theirs + ".weight", config.hidden_size);
  if (config.has_biases()) parts.whole(ours + ".bias", theirs + ".bias", config.hidden_size);
}

// Conv1D: weights [inputs, outputs]; c_attn has all queries, then all keys, then all values.
void add_gpt2_block(Parts& parts, const ModelConfig& config, const std::string& ours,
                    const std::string& theirs) {
  const int64_t hidden = config.hidden_size;
  add_norm(parts, config, ours + ".attention.norm", theirs + ".ln_1");
  for (const std::string kind : {".weight", ".bias"}) {
    for (int64_t i = 0; i < 3; ++i) {
      parts.slice({ours + ".attention.qkv" + kind, theirs + ".attn.c_attn" + kind,
                   kind == ".weight", i * hidden, hidden, /*dim=*/1, i, 1});
    }
  }
  const auto linear = [&](const std::string& to, const std::string& from, int64_t rows) {
    parts.whole(ours + to + ".weight", theirs + from + ".weight", rows, /*is_transposed=*/true);
    parts.whole(ours + to + ".bias", theirs + from + ".bias", rows);
  };
  linear(".attention.output", ".attn.c_proj", hidden);
  add_norm(parts, config, ours + ".feed_forward.norm", theirs + ".ln_2");
  linear(".feed_forward.up", ".mlp.c_fc", config.intermediate_size());
  linear(".feed_forward.down", ".mlp.c_proj", hidden);
}

void add_llama_block(Parts& parts, const ModelConfig& config, const std::string& ours,
                     const std::string& theirs) {
  const int64_t queries = config.num_heads / config.kv_heads();
  const int64_t key_rows = config.kv_heads() * config.head_width();
  const std::string qkv = ours + ".attention.qkv.weight";
  add_norm(parts, config, ours + ".attention.norm", theirs + ".input_layernorm");
  parts.slice(
      {qkv, theirs + ".self_attn.q_proj.weight", false, 0, queries * key_rows, 1, 0, queries});
  parts.slice({qkv, theirs + ".self_attn.k_proj.weight", false, 0, key_rows, 1, queries, 1});
  parts.slice({qkv, theirs + ".self_attn.v_proj.weight", false, 0, key_rows, 1, queries + 1, 1});
  if (config.qk_norm) {
    parts.whole(ours + ".attention.query_norm.weight", theirs + ".self_attn.q_norm.weight",
                config.head_width());
    parts.whole(ours + ".attention.key_norm.weight", theirs + ".self_attn.k_norm.weight",
                config.head_width());
  }
  parts.whole(ours + ".attention.output.weight", theirs + ".self_attn.o_proj.weight",
              config.hidden_size);
  add_norm(parts, config, ours + ".feed_forward.norm", theirs + ".post_attention_layernorm");
  const std::string up = ours + ".feed_forward.up.weight";
  const int64_t width = config.intermediate_size();
  parts.slice({up, theirs + ".mlp.gate_proj.weight", false, 0, width, 0, 0, 1});
  parts.slice({up, theirs + ".mlp.up_proj.weight", false, 0, width, 0, 1, 1});
  parts.whole(ours + ".feed_forward.down.weight", theirs + ".mlp.down_proj.weight",
              config.hidden_size);
}

// The stretch of rows of transformers' tensor.
at::Tensor rows_of(const TensorPart& part, const at::Tensor& theirs) {
  const at::Tensor by_rows = part.is_transposed ? theirs.t() : theirs;
  return by_rows.narrow(0, part.first_row, part.num_rows);
}

}  // namespace

std::vector<TensorPart> tensor_parts(const ModelConfig& config, int64_t num_tokens) {
  Parts parts;
  const std::string root = config.is_llama() ? "model" : "transformer";
  parts.whole("embedding.token.weight",
              root + (config.is_llama() ? ".embed_tokens" : ".wte") + ".weight", num_tokens);
  if (config.has_learned_positions())
    parts.whole("embedding.position.weight", root + ".wpe.weight", config.max_positions);
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const std::string ours = cat("blocks.", i);
    if (config.is_llama()) {
      add_llama_block(parts, config, ours, cat(root, ".layers.", i));
    } else {
      add_gpt2_block(parts, config, ours, cat(root, ".h.", i));
    }
  }
  add_norm(parts, config, "head.norm", root + (config.is_llama() ? ".norm" : ".ln_f"));
  if (!config.has_tied_embeddings()) parts.whole("head.weight", "lm_head.weight", num_tokens);
  return parts.take();
}

NamedTensors from_huggingface(const std::vector<TensorPart>& parts, const NamedTensors& tensors,
                              const std::map<std::string, std::vector<int64_t>>& logical_shapes) {
  NamedTensors logical;
  for (const TensorPart& part : parts) {
    const at::Tensor rows = rows_of(part, tensors.at(part.name));
    at::Tensor& to = logical[part.parameter];
    if (!to.defined()) to = at::empty(logical_shapes.at(part.parameter), rows.options());
    at::Tensor slice = to.narrow(part.dim, part.start, part.length);
    slice.copy_(rows.reshape(slice.sizes()));
  }
  return logical;
}

NamedTensors to_huggingface(const std::vector<TensorPart>& parts, const NamedTensors& logical) {
  std::map<std::string, int64_t> num_rows;
  for (const TensorPart& part : parts) num_rows[part.name] += part.num_rows;
  NamedTensors tensors;
  for (const TensorPart& part : parts) {
    const at::Tensor slice = logical.at(part.parameter).narrow(part.dim, part.start, part.length);
    const int64_t rows = num_rows.at(part.name);
    const int64_t columns = slice.numel() / part.num_rows;
    // Whether rows hold anything beside themselves: biases and norms are one number a row.
    const bool is_matrix = part.name.ends_with(".weight") && logical.at(part.parameter).dim() > 1;
    at::Tensor& to = tensors[part.name];
    if (!to.defined()) {
      const std::vector<int64_t> shape = !is_matrix           ? std::vector<int64_t>{rows}
                                         : part.is_transposed ? std::vector<int64_t>{columns, rows}
                                                              : std::vector<int64_t>{rows, columns};
      to = at::empty(shape, slice.options());
    }
    at::Tensor stretch = rows_of(part, to);
    stretch.copy_(slice.reshape(stretch.sizes()));
  }
  return tensors;
}

}  // namespace lmtrain

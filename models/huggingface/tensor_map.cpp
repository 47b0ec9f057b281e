#include "models/huggingface/tensor_map.h"

#include <set>

#include <ATen/ATen.h>

#include "base/error.h"
#include "base/strict_json.h"
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

constexpr const char* kHead = "lm_head.weight";

// Files of the base model leave out the name of the whole: "h.0.ln_1.weight".
std::string stored_name(const SafetensorsFolder& folder, const std::string& name) {
  if (folder.contains(name)) return name;
  const size_t dot = name.find('.');
  const std::string bare = name.substr(dot + 1);
  return name != kHead && folder.contains(bare) ? bare : "";
}

// Causal masks that GPT-2 files carry, and rotary frequencies of old Llama files.
bool is_buffer(const std::string& name) {
  return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") ||
         name.ends_with(".rotary_emb.inv_freq");
}

bool repeats(const SafetensorsFolder& folder, const std::string& name, const at::Tensor& other) {
  const SafetensorsFile::Entry& entry = folder.entry(name);
  return entry.type == other.scalar_type() && at::IntArrayRef(entry.shape) == other.sizes() &&
         at::equal(folder.read(name), other);
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::vector<std::string> sizes;
  for (const int64_t size : shape) sizes.push_back(std::to_string(size));
  return cat("[", join(sizes, ", "), "]");
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

NamedShapes huggingface_shapes(const std::vector<TensorPart>& parts,
                               const NamedShapes& logical_shapes) {
  NamedShapes shapes;
  for (const TensorPart& part : parts) {
    const std::vector<int64_t>& logical = logical_shapes.at(part.parameter);
    int64_t columns = part.length;
    for (size_t d = 0; d < logical.size(); ++d)
      columns *= static_cast<int64_t>(d) == part.dim ? 1 : logical[d];
    columns /= part.num_rows;
    // Biases and norms are a number a row.
    const bool is_matrix = part.name.ends_with(".weight") && logical.size() > 1;
    std::vector<int64_t>& shape = shapes[part.name];
    if (shape.empty())
      shape = is_matrix ? std::vector<int64_t>{0, columns} : std::vector<int64_t>{0};
    shape[0] += part.num_rows;
  }
  for (const TensorPart& part : parts) {
    std::vector<int64_t>& shape = shapes[part.name];
    if (part.is_transposed && part.first_row == 0) std::swap(shape[0], shape[1]);
  }
  return shapes;
}

NamedTensors from_huggingface(const std::vector<TensorPart>& parts, const NamedTensors& tensors,
                              const NamedShapes& logical_shapes) {
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
  NamedShapes logical_shapes;
  for (const auto& [name, tensor] : logical) logical_shapes[name] = tensor.sizes().vec();
  NamedTensors tensors;
  const NamedShapes shapes = huggingface_shapes(parts, logical_shapes);
  for (const TensorPart& part : parts) {
    const at::Tensor& from = logical.at(part.parameter);
    at::Tensor& to = tensors[part.name];
    if (!to.defined()) to = at::empty(shapes.at(part.name), from.options());
    at::Tensor stretch = rows_of(part, to);
    stretch.copy_(from.narrow(part.dim, part.start, part.length).reshape(stretch.sizes()));
  }
  return tensors;
}

NamedTensors read_huggingface(const SafetensorsFolder& folder, const std::vector<TensorPart>& parts,
                              const NamedShapes& logical_shapes, const std::string& place) {
  const NamedShapes shapes = huggingface_shapes(parts, logical_shapes);
  NamedTensors tensors;
  std::set<std::string> used;
  for (const auto& [name, shape] : shapes) {
    const std::string stored = stored_name(folder, name);
    if (stored.empty()) throw DataError(cat(place, ": there is no tensor '", name, "'"));
    const std::vector<int64_t>& found = folder.entry(stored).shape;
    if (found != shape) {
      throw DataError(cat(place, ": the tensor '", stored, "' has shape ", shape_text(found),
                          ", config.json makes it ", shape_text(shape)));
    }
    if (!at::isFloatingType(folder.entry(stored).type))
      throw DataError(cat(place, ": the tensor '", stored, "' is not of floating point"));
    tensors[name] = folder.read(stored);
    used.insert(stored);
  }
  for (const std::string& name : folder.names()) {
    if (used.contains(name) || is_buffer(name)) continue;
    if (name == kHead && repeats(folder, name, tensors.at(parts.front().name))) continue;
    throw DataError(cat(place, ": the tensor ", show_text(name),
                        name == kHead ? " differs from the embedding that config.json ties it to"
                                      : " is not of this model"));
  }
  return tensors;
}

}  // namespace lmtrain

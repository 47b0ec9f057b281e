#include "models/huggingface/tensor_map.h"

#include <algorithm>
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

// The names of a block's norms: behind the sums in bert, before the parts in megatron-bert.
void add_bert_block(Parts& parts, const ModelConfig& config, const std::string& ours,
                    const std::string& theirs) {
  const int64_t hidden = config.hidden_size;
  const bool after = config.has_norm_after();
  const auto linear = [&](const std::string& to, const std::string& from, int64_t rows) {
    parts.whole(ours + to + ".weight", theirs + from + ".weight", rows);
    parts.whole(ours + to + ".bias", theirs + from + ".bias", rows);
  };
  add_norm(parts, config, ours + ".attention.norm",
           theirs + (after ? ".attention.output.LayerNorm" : ".attention.ln"));
  for (const std::string kind : {".weight", ".bias"}) {
    int64_t place = 0;
    for (const std::string name : {"query", "key", "value"}) {
      parts.slice({ours + ".attention.qkv" + kind, theirs + ".attention.self." + name + kind,
                   /*is_transposed=*/false, 0, hidden, /*dim=*/1, place++, 1});
    }
  }
  linear(".attention.output", ".attention.output.dense", hidden);
  add_norm(parts, config, ours + ".feed_forward.norm",
           theirs + (after ? ".output.LayerNorm" : ".ln"));
  linear(".feed_forward.up", ".intermediate.dense", config.intermediate_size());
  linear(".feed_forward.down", ".output.dense", hidden);
}

// A head of labels, by the names that each family's classes give it.
void add_label_head(Parts& parts, const ModelConfig& config) {
  const bool is_score = !config.is_bert() && (config.is_llama() || config.classifies_texts());
  const std::string theirs = config.answers_questions() ? "qa_outputs"
                             : is_score                 ? "score"
                                                        : "classifier";
  parts.whole("labels.weight", theirs + ".weight", config.num_labels());
  if (config.has_label_bias()) parts.whole("labels.bias", theirs + ".bias", config.num_labels());
}

void add_bert(Parts& parts, const ModelConfig& config, int64_t num_tokens) {
  const int64_t hidden = config.hidden_size;
  const std::string root = config.head == "none" ? "" : "bert.";  // the encoder by itself
  const std::string embeddings = root + "embeddings.";
  parts.whole("embedding.token.weight", embeddings + "word_embeddings.weight", num_tokens);
  parts.whole("embedding.position.weight", embeddings + "position_embeddings.weight",
              config.max_positions);
  parts.whole("embedding.segment.weight", embeddings + "token_type_embeddings.weight",
              config.segments());
  if (config.has_norm_after()) add_norm(parts, config, "embedding.norm", embeddings + "LayerNorm");
  for (int64_t i = 0; i < config.num_layers; ++i)
    add_bert_block(parts, config, cat("blocks.", i), cat(root, "encoder.layer.", i));
  if (!config.has_norm_after()) add_norm(parts, config, "encoder.norm", root + "encoder.ln");
  const auto linear = [&](const std::string& to, const std::string& from, int64_t rows) {
    parts.whole(to + ".weight", from + ".weight", rows);
    parts.whole(to + ".bias", from + ".bias", rows);
  };
  if (config.has_language_head()) {
    linear("head.transform", "cls.predictions.transform.dense", hidden);
    add_norm(parts, config, "head.norm", "cls.predictions.transform.LayerNorm");
    parts.whole("head.bias", "cls.predictions.bias", num_tokens);
  }
  if (config.has_pooler()) linear("pooler", root + "pooler.dense", hidden);
  if (config.has_label_head()) add_label_head(parts, config);
  if (config.has_sentence_head()) linear("sentence", "cls.seq_relationship", 2);
}

constexpr const char* kHead = "lm_head.weight";

// What stands outside the base model, whatever the class.
constexpr const char* kHeadsOfClasses[] = {"cls.", "score.", "classifier.", "qa_outputs."};

// Heads and biases that files may hold beside the tensor they are tied to.
struct TiedTensor {
  const char* name;
  const char* same_as;  // a parameter of lmtrain
};
constexpr TiedTensor kTiedTensors[] = {{kHead, "embedding.token.weight"},
                                       {"cls.predictions.decoder.weight", "embedding.token.weight"},
                                       {"cls.predictions.decoder.bias", "head.bias"}};

// Files of the base model leave out the name of the whole, "h.0.ln_1.weight", or have it though the
// model is but the encoder.
// Those of BERT's first years call a LayerNorm's weight gamma and its bias beta.
std::string stored_name(const SafetensorsFolder& folder, const std::string& name) {
  std::vector<std::string> names = {name};
  if (name.ends_with(".LayerNorm.weight"))
    names.push_back(name.substr(0, name.rfind('.')) + ".gamma");
  if (name.ends_with(".LayerNorm.bias")) names.push_back(name.substr(0, name.rfind('.')) + ".beta");
  const bool has_root =
      name != kHead && std::none_of(std::begin(kHeadsOfClasses), std::end(kHeadsOfClasses),
                                    [&](const char* head) { return name.starts_with(head); });
  for (const std::string& one : names) {
    if (folder.contains(one)) return one;
    const std::string bare = one.substr(one.find('.') + 1);
    if (has_root && folder.contains(bare)) return bare;
    if (folder.contains("bert." + one)) return "bert." + one;
  }
  return "";
}

// Causal masks that GPT-2 files carry, rotary frequencies of old Llama files, BERT's counted
// positions.
bool is_buffer(const std::string& name) {
  return name.ends_with("embeddings.position_ids") || name.ends_with(".attn.bias") ||
         name.ends_with(".attn.masked_bias") || name.ends_with(".rotary_emb.inv_freq");
}

// BERT's pooler in a file whose model has nothing that reads it.
bool is_idle_pooler(const std::vector<TensorPart>& parts, const std::string& name) {
  const auto is_pooler = [](const TensorPart& part) { return part.parameter == "pooler.weight"; };
  return name.starts_with("bert.pooler.dense.") &&
         std::none_of(parts.begin(), parts.end(), is_pooler);
}

// The tensor of transformers that another one must repeat; "" where it is tied to none.
std::string tied_to(const std::vector<TensorPart>& parts, const std::string& name) {
  for (const TiedTensor& tied : kTiedTensors) {
    if (name != tied.name) continue;
    for (const TensorPart& part : parts) {
      if (part.parameter == tied.same_as) return part.name;
    }
  }
  return "";
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
  if (config.is_bert()) {
    add_bert(parts, config, num_tokens);
    return parts.take();
  }
  // The one class of Llama that answers questions calls its base model as GPT-2's do.
  const bool is_model = config.is_llama() && !config.answers_questions();
  const std::string root = is_model ? "model" : "transformer";
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
  if (config.has_label_head()) {
    add_label_head(parts, config);
  } else if (!config.has_tied_embeddings()) {
    parts.whole("head.weight", kHead, num_tokens);
  }
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

std::string bert_head(const SafetensorsFolder& folder) {
  if (folder.contains("cls.seq_relationship.weight")) return "pretraining";
  return folder.contains("cls.predictions.bias") ? "language_model" : "none";
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
    if (used.contains(name) || is_buffer(name) || is_idle_pooler(parts, name)) continue;
    const std::string tied = tied_to(parts, name);
    if (!tied.empty() && repeats(folder, name, tensors.at(tied))) continue;
    throw DataError(cat(place, ": the tensor ", show_text(name),
                        tied.empty() ? " is not of this model"
                                     : cat(" differs from ", tied, ", to which it is tied")));
  }
  return tensors;
}

}  // namespace lmtrain

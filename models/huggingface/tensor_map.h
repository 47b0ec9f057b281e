// How the tensors of lmtrain's models lie in those of the transformers package: which names, and
// which rows of which slice. lmtrain fuses what transformers keeps apart (query, key and value of
// Llama; gate and up) and orders it for tensor parallelism.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "models/huggingface/safetensors.h"
#include "models/model_config.h"

namespace lmtrain {

// One stretch of rows of a tensor of transformers, and the slice of a logical tensor of lmtrain
// that holds the same numbers in the same order.
struct TensorPart {
  std::string parameter;       // lmtrain's
  std::string name;            // transformers'
  bool is_transposed = false;  // transformers stores [inputs, outputs] (Conv1D of GPT-2)
  int64_t first_row = 0;       // rows of transformers' tensor, after transposing
  int64_t num_rows = 0;
  int64_t dim = 0;  // the slice: parameter.narrow(dim, start, length)
  int64_t start = 0;
  int64_t length = 0;
};

// Every parameter of a model, in its order; parts of one tensor of transformers follow each other.
// `num_tokens` is the unpadded vocabulary.
std::vector<TensorPart> tensor_parts(const ModelConfig& config, int64_t num_tokens);

using NamedTensors = std::map<std::string, at::Tensor>;
using NamedShapes = std::map<std::string, std::vector<int64_t>>;

// The shape of each tensor of transformers, from those of lmtrain's logical tensors.
NamedShapes huggingface_shapes(const std::vector<TensorPart>& parts,
                               const NamedShapes& logical_shapes);

// lmtrain's logical tensors from transformers' ones and back, as the parts say; the result has the
// types of what it is made from. Every tensor that a part names must be there, of its shape.
NamedTensors from_huggingface(const std::vector<TensorPart>& parts, const NamedTensors& tensors,
                              const NamedShapes& logical_shapes);
NamedTensors to_huggingface(const std::vector<TensorPart>& parts, const NamedTensors& logical);

// The model.head of a folder of BERT without a head of labels, from the tensors it holds: Google's
// own files have both heads under the class of one.
std::string bert_head(const SafetensorsFolder& folder);

// The tensors of a folder under the names of the parts, whatever they are called there: with or
// without the prefix of the model, with buffers that are no weights, with a head that repeats the
// embedding. Throws DataError naming what is missing, unexpected, or of another shape.
NamedTensors read_huggingface(const SafetensorsFolder& folder, const std::vector<TensorPart>& parts,
                              const NamedShapes& logical_shapes, const std::string& place);

}  // namespace lmtrain

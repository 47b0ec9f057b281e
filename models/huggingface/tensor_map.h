// How the tensors of lmtrain's models lie in those of the transformers package: which names, and
// which rows of which slice. lmtrain fuses what transformers keeps apart (query, key and value of
// Llama; gate and up) and orders it for tensor parallelism.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "models/huggingface/safetensors.h"

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

// A tensor that files may hold beside the parameter of lmtrain that it repeats.
struct TiedTensor {
  std::string name;
  std::string same_as;
};

// Where a model's parameters lie in the files of its class of transformers.
struct TensorMap {
  // Every parameter, in its order; parts of one tensor of transformers follow each other.
  std::vector<TensorPart> parts;
  // In front of the names of the base model ("transformer."). Files of the base model alone leave it
  // out, and some have it where the class is the base model.
  std::string root;
  std::vector<TiedTensor> tied;
  // Ends of names that are no weights of this model and are passed over.
  std::vector<std::string> unread_endings;

  // Adds a parameter that is one whole tensor of `rows` rows.
  void add_whole(const std::string& parameter, const std::string& name, int64_t rows,
                 bool is_transposed = false);
  void add_slice(TensorPart part) { parts.push_back(std::move(part)); }
};

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

// The tensors of a folder under the names of the map, whatever they are called there: with or
// without the prefix of the model, with buffers that are no weights, with a head that repeats the
// embedding. Throws DataError naming what is missing, unexpected, or of another shape.
NamedTensors read_huggingface(const SafetensorsFolder& folder, const TensorMap& map,
                              const NamedShapes& logical_shapes, const std::string& place);

}  // namespace lmtrain

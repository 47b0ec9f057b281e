// How the tensors of lmtrain's models lie in those of the transformers package: their names, and
// which rows hold which slice. lmtrain fuses what transformers keeps apart (query, key and value of
// Llama; gate and up) and orders it for tensor parallelism.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "models/huggingface/safetensors.h"

namespace lmtrain {

// One stretch of rows of a tensor of transformers, and the slice of a logical tensor of lmtrain
// that holds the same numbers in the same order.
struct TensorPart {
  std::string parameter;       // the name in lmtrain
  std::string name;            // the name in transformers
  bool is_transposed = false;  // transformers stores [inputs, outputs] (Conv1D of GPT-2)
  int64_t first_row = 0;       // rows of transformers' tensor, after transposing
  int64_t num_rows = 0;
  int64_t dim = 0;  // the slice: parameter.narrow(dim, start, length)
  int64_t start = 0;
  int64_t length = 0;
};

// A tensor that files may hold although it repeats a parameter of lmtrain.
struct TiedTensor {
  std::string name;
  std::string same_as;
};

// Where a model's parameters lie in the files of its class of transformers.
struct TensorMap {
  // All parameters in their order; the parts of one tensor of transformers follow each other.
  std::vector<TensorPart> parts;
  // The prefix of the names of the base model ("transformer."). Files of the base model alone leave
  // it out, and some files have it although their class is the base model.
  std::string root;
  std::vector<TiedTensor> tied;
  // Tensors whose names end like these are no weights of this model and are not read.
  std::vector<std::string> unread_endings;

  // Adds a parameter that is one whole tensor of `rows` rows.
  void add_whole(const std::string& parameter, const std::string& name, int64_t rows,
                 bool is_transposed = false);
  void add_slice(TensorPart part) { parts.push_back(std::move(part)); }
};

using NamedTensors = std::map<std::string, at::Tensor>;
using NamedShapes = std::map<std::string, std::vector<int64_t>>;

// Returns the shape of each tensor of transformers, given the shapes of lmtrain's logical tensors.
NamedShapes huggingface_shapes(const std::vector<TensorPart>& parts,
                               const NamedShapes& logical_shapes);

// Return lmtrain's logical tensors made from those of transformers, and the reverse, as the parts
// say. A result has the type of the tensor that it is made from. Every tensor that a part names
// must be there, in its shape.
NamedTensors from_huggingface(const std::vector<TensorPart>& parts, const NamedTensors& tensors,
                              const NamedShapes& logical_shapes);
NamedTensors to_huggingface(const std::vector<TensorPart>& parts, const NamedTensors& logical);

// Visits lmtrain's logical tensors that a folder's tensors make, one after the other, so that no
// more than one of them is in memory. The files may have them with or without the prefix of the
// model, beside buffers that are no weights, and with a head that repeats the embedding. Throws
// DataError, before the first visit, naming what is missing, unexpected, or of another shape.
using TensorVisitor = std::function<void(const std::string& parameter, const at::Tensor& logical)>;
void visit_huggingface(const SafetensorsFolder& folder, const TensorMap& map,
                       const NamedShapes& logical_shapes, const std::string& place,
                       const TensorVisitor& visit);

}  // namespace lmtrain

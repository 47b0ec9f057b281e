// Rows of a table by id, the table cut over the tensor axis by rows (vocabulary-parallel,
// Megatron-LM).
#pragma once

#include <ATen/core/Tensor.h>

#include "parallel/communicator.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

// A table of `num_rows` rows of which the first `num_logical_rows` are in use; the rest is padding
// that stays zero. `uses` counts the layers that use the table in a micro-batch (2 where the head
// is tied to it).
Parameter& add_embedding_table(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                               int64_t num_logical_rows, int64_t num_rows, int64_t features,
                               Communicator& tensor_axis, double init_std, int uses);

class Embedding {
 public:
  Embedding(Parameter& table, Communicator& tensor_axis)
      : table_(table), tensor_axis_(tensor_axis) {}

  // ids: int64 [..]; returns [.., features]. Ids must be within the table.
  at::Tensor operator()(const at::Tensor& ids) const;

 private:
  Parameter& table_;
  Communicator& tensor_axis_;
};

}  // namespace lmtrain

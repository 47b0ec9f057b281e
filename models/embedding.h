// Rows of a table by id, the table cut over the tensor axis by rows (vocabulary-parallel,
// Megatron-LM).
#pragma once

#include <ATen/core/Tensor.h>

#include "models/tensor_axis.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

struct TableRows {
  int64_t logical;  // in use
  int64_t all;      // the rest is padding that stays zero; where cut, more is added to divide
};

// Which layers read a table.
enum class TableUse { kEmbedding, kHead, kEmbeddingAndHead };

// A table [rows, features] that is cut over the tensor axis.
Parameter& add_cut_table(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                         TableRows rows, int64_t features, const TensorAxis& tensor_axis,
                         double init_std, TableUse use);
// One that every rank has whole.
Parameter& add_whole_table(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                           int64_t rows, int64_t features, const TensorAxis& tensor_axis,
                           double init_std);

class Embedding {
 public:
  Embedding(Parameter& table, const TensorAxis& tensor_axis)
      : table_(table), tensor_axis_(tensor_axis) {}

  // ids: int64 [n], of all rows; returns [n, features], or where rows are cut this rank's part of
  // them. Ids must be within the table.
  at::Tensor operator()(const at::Tensor& ids) const;

 private:
  Parameter& table_;
  TensorAxis tensor_axis_;
};

}  // namespace lmtrain

// Looks up rows of a table by id. The tensor axis may cut the rows of the table
// (vocabulary-parallel, Megatron-LM).
#pragma once

#include <ATen/core/Tensor.h>

#include "models/model_input.h"
#include "models/tensor_axis.h"
#include "parallel/parameter_store.h"

namespace lmtrain {

struct TableRows {
  int64_t logical;  // rows in use
  int64_t all;      // with padding, which stays zero; a cut table is padded further to divide
};

// Which layers read a table.
enum class TableUse { kEmbedding, kHead, kEmbeddingAndHead };

// Adds a table [rows, features] whose rows are cut over the tensor axis.
Parameter& add_cut_table(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                         TableRows rows, int64_t features, const TensorAxis& tensor_axis,
                         double init_std, TableUse use);
// Adds a table that every rank holds whole.
Parameter& add_whole_table(ParameterStore& store, ParameterUnit& unit, const std::string& name,
                           int64_t rows, int64_t features, const TensorAxis& tensor_axis,
                           double init_std);

class Embedding {
 public:
  Embedding(Parameter& table, const TensorAxis& tensor_axis)
      : table_(table), tensor_axis_(tensor_axis) {}

  // ids: int64 [n], those of all rows, each within the table. Returns [n, features], or this rank's
  // part of those rows where the axis cuts rows.
  at::Tensor operator()(const at::Tensor& ids) const;

 private:
  Parameter& table_;
  TensorAxis tensor_axis_;
};

// Returns this rank's rows of the input's token vectors, looked up where it has none, [rows,
// features].
at::Tensor embedded_tokens(const ModelInput& input, Parameter& table,
                           const TensorAxis& tensor_axis);

// Returns the rows of a table, cut or whole, for ids of shape [samples, positions], without
// gradients: [samples, positions, features], all of them.
at::Tensor token_vectors(const at::Tensor& ids, Parameter& table, const TensorAxis& tensor_axis);

}  // namespace lmtrain

// The matrices within a parameter, and a parameter's elements on this rank.
#pragma once

#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>

#include "parallel/parameter_store.h"

namespace lmtrain {

struct MatrixSize {
  int64_t rows = 0;
  int64_t columns = 0;
};
MatrixSize size_of(const ParameterSpec& spec, const MatrixSlice& slice);

// A matrix of a logical tensor, [rows, columns]; a copy where the tensor has other elements between
// its rows.
at::Tensor matrix_of(const at::Tensor& logical, const MatrixSlice& slice);

// A view of what this rank's shard of a buffer holds of a parameter, flat; may be empty.
at::Tensor elements_of(const Parameter& parameter, const std::string& buffer);

}  // namespace lmtrain

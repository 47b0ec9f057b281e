#include "trainer/step/matrices.h"

#include <ATen/ATen.h>

namespace lmtrain {

MatrixSize size_of(const ParameterSpec& spec, const MatrixSlice& slice) {
  std::vector<int64_t> shape = spec.logical_shape;
  shape[static_cast<size_t>(slice.dim)] = slice.count;
  return {c10::multiply_integers(shape) / shape.back(), shape.back()};
}

at::Tensor matrix_of(const at::Tensor& logical, const MatrixSlice& slice) {
  return logical.narrow(slice.dim, slice.begin, slice.count).reshape({-1, logical.size(-1)});
}

at::Tensor elements_of(const Parameter& parameter, const std::string& buffer) {
  const Parameter::Span span = parameter.span_in_shard();
  const ParameterUnit& unit = parameter.unit();
  if (span.count == 0) return at::empty({0}, unit.master().options());
  return unit.elements(buffer, parameter.offset() + span.first_element, span.count);
}

}  // namespace lmtrain

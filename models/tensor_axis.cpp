#include "models/tensor_axis.h"

#include <ATen/ATen.h>

#include "models/functions.h"

namespace lmtrain {
namespace {

int64_t part_of(const at::Tensor& rows, const TensorAxis& axis) {
  TORCH_CHECK(rows.size(0) % axis.size() == 0, rows.size(0), " rows cannot be cut over ",
              axis.size(), " ranks");
  return rows.size(0) / axis.size();
}

struct GatheredForAll : torch::autograd::Function<GatheredForAll> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& rows,
                            const TensorAxis& axis) {
    save_axis(context, axis);
    return gather_rows(rows, axis);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    return {own_rows(gradients[0], saved_axis(context)).contiguous(), {}};
  }
};

}  // namespace

at::Tensor gather_rows(const at::Tensor& rows, const TensorAxis& axis) {
  if (!axis.cuts_rows) return rows;
  std::vector<int64_t> shape = rows.sizes().vec();
  shape[0] *= axis.size();
  at::Tensor all = at::empty(shape, rows.options());
  axis.group->all_gather(all, rows.contiguous())->wait();
  return all;
}

at::Tensor own_rows(const at::Tensor& rows, const TensorAxis& axis) {
  if (!axis.cuts_rows) return rows;
  const int64_t part = part_of(rows, axis);
  return rows.narrow(0, axis.group->rank() * part, part);
}

at::Tensor sum_rows(at::Tensor rows, const TensorAxis& axis) {
  if (!axis.cuts_rows) {
    axis.group->all_reduce(rows, ReduceOp::kSum)->wait();
    return rows;
  }
  std::vector<int64_t> shape = rows.sizes().vec();
  shape[0] = part_of(rows, axis);
  at::Tensor part = at::empty(shape, rows.options());
  axis.group->reduce_scatter(part, rows)->wait();
  return part;
}

at::Tensor gathered_for_all(const at::Tensor& rows, const TensorAxis& axis) {
  return axis.cuts_rows ? GatheredForAll::apply(rows, axis) : rows;
}

}  // namespace lmtrain

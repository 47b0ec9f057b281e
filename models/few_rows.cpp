#include "models/few_rows.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/cpu/Utils.h>

#include "models/kernels/kernels.h"

namespace lmtrain {
namespace {

bool suits(const at::Tensor& rows, const at::Tensor& weight) {
  const at::ScalarType type = weight.scalar_type();
  return rows.is_cpu() && rows.size(0) <= kMostFewRows &&
         (type == at::kBFloat16 || type == at::kFloat) && rows.scalar_type() == type &&
         weight.is_contiguous();
}

template <class T>
void multiply(void (*kernel)(const FewRows<T>&), const at::Tensor& x, const at::Tensor& weight,
              const at::Tensor& y) {
  FewRows<T> job = {
      x.data_ptr<float>(), x.size(0), x.size(1), static_cast<const T*>(weight.data_ptr()), 0, 0,
      y.data_ptr<float>(), y.size(1)};
  constexpr int64_t kBlock = 16;  // outputs
  const int64_t blocks = (y.size(1) + kBlock - 1) / kBlock;
  at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    FewRows<T> part = job;
    part.first = begin * kBlock;
    part.end = std::min(y.size(1), end * kBlock);
    kernel(part);
  });
}

// The order in which kernels read rows (FewRows::x): of every 16 * `ways` elements each `ways`-th
// comes first, then its neighbours, and so on.
at::Tensor dealt(const at::Tensor& rows, int64_t ways) {
  constexpr int64_t kLanes = 16;
  const int64_t at_once = kLanes * ways;
  const int64_t whole = rows.size(1) / at_once * at_once;
  const at::Tensor groups = rows.narrow(1, 0, whole).view({rows.size(0), -1, kLanes, ways});
  const at::Tensor ordered = groups.transpose(2, 3).reshape({rows.size(0), whole});
  if (whole == rows.size(1)) return ordered;
  return at::cat({ordered, rows.narrow(1, whole, rows.size(1) - whole)}, 1);
}

// Whether LibTorch's products of bf16 are slower than those of fp32, and by more than it takes to
// widen a matrix.
bool widens(const at::Tensor& rows) {
  static const bool has_amx = at::cpu::init_amx();
  return !has_amx && rows.is_cpu() && rows.scalar_type() == at::kBFloat16 &&
         rows.size(0) > kMostFewRows;
}

at::Tensor many_rows(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     at::ScalarType result) {
  if (!widens(x.reshape({-1, x.size(-1)}))) return at::linear(x, weight, bias).to(result);
  const at::Tensor wide_bias = bias.defined() ? bias.to(at::kFloat) : bias;
  return at::linear(x.to(at::kFloat), weight.to(at::kFloat), wide_bias).to(result);
}

}  // namespace

at::Tensor inferred_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                           at::ScalarType result) {
  const at::Tensor rows = x.reshape({-1, x.size(-1)});
  if (!suits(rows, weight)) return many_rows(x, weight, bias, result);
  const at::Tensor wide = rows.to(at::kFloat).contiguous();
  at::Tensor y = at::empty({rows.size(0), weight.size(0)}, wide.options());
  const DecodingKernels& kernels = cpu_kernels().decoding;
  if (weight.scalar_type() == at::kFloat) {
    multiply(kernels.products_fp32, wide, weight, y);
  } else {
    multiply(kernels.products_bf16, dealt(wide, 2), weight, y);
  }
  if (bias.defined()) y.add_(bias);
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = weight.size(0);
  return y.to(result).view(shape);
}

at::Tensor inferred_linear(const at::Tensor& x, const Int8Matrix& weight, const at::Tensor& bias,
                           at::ScalarType result) {
  const at::Tensor rows = x.reshape({-1, x.size(-1)});
  if (!rows.is_cpu() || rows.size(0) > kMostFewRows || rows.scalar_type() == at::kDouble) {
    const at::Tensor wide =
        weight.values.to(x.scalar_type()).mul_(weight.scales.to(x.scalar_type()).unsqueeze(1));
    return many_rows(x, wide, bias, result);
  }
  const at::Tensor wide = rows.to(at::kFloat).contiguous();
  at::Tensor y = at::empty({rows.size(0), weight.values.size(0)}, wide.options());
  multiply(cpu_kernels().decoding.products_int8, dealt(wide, 4), weight.values, y);
  y.mul_(weight.scales);
  if (bias.defined()) y.add_(bias);
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = weight.values.size(0);
  return y.to(result).view(shape);
}

}  // namespace lmtrain

// The numbers that kernels read and write, and the type that they compute in.
#pragma once

#include <cuda_bf16.h>

#include "parallel/cuda/launch.h"

namespace lmtrain::cuda {

template <class T>
struct Accumulate {
  using type = float;
};
template <>
struct Accumulate<double> {
  using type = double;
};

template <class T>
__device__ inline auto widen(T x) {
  return static_cast<typename Accumulate<T>::type>(x);
}
__device__ inline void narrow(float x, __nv_bfloat16& to) { to = __float2bfloat16_rn(x); }
__device__ inline void narrow(float x, float& to) { to = x; }
__device__ inline void narrow(double x, double& to) { to = x; }

// 16 bytes, read and written at once.
template <class T>
struct alignas(16) Pack {
  static constexpr int kSize = 16 / sizeof(T);
  T values[kSize];
};

// Calls f with a value of the C++ type that `type` names.
template <class F>
void with_type(Type type, F f) {
  if (type == Type::kBFloat16) f(__nv_bfloat16{});
  if (type == Type::kFloat) f(float{});
  if (type == Type::kDouble) f(double{});
}

}  // namespace lmtrain::cuda

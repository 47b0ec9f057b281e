// The kernels of GELU. Only kernels_isa.cpp includes this file.
#pragma once

#include "models/kernels/kernels.h"
#include "models/kernels/vector.h"

namespace lmtrain {
namespace {

inline constexpr float kGeluSlope = 0.7978845608F;  // sqrt(2 / pi)
inline constexpr float kGeluCubic = 0.044715F;

// Returns (1 + tanh(u)) / 2, computed as the logistic function of 2 u, for u = slope (x + cubic
// x^3).
inline Floats gelu_gate(Floats x) {
  Floats exponent = x * (-2.0F * kGeluSlope) * (1.0F + kGeluCubic * x * x);
  const Floats high = all(87.0F);
  exponent = exponent > high ? high : exponent;
  return 1.0F / (1.0F + exponential(exponent));
}

inline Floats gelu(Floats x) { return x * gelu_gate(x); }

inline Floats gelu_gradient(Floats x, Floats dy) {
  const Floats gate = gelu_gate(x);
  const Floats slope = (2.0F * kGeluSlope) * (1.0F + (3.0F * kGeluCubic) * x * x);
  return dy * (gate + x * gate * (1.0F - gate) * slope);
}

template <class T>
void gelu_forward(const T* x, int64_t count, T* y) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(y + i, gelu(load(x + i)));
  if (i < count) store_tail(y + i, count - i, gelu(load_tail(x + i, count - i, 0)));
}

template <class T>
void gelu_backward(const T* x, const T* dy, int64_t count, T* dx) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) store(dx + i, gelu_gradient(load(x + i), load(dy + i)));
  if (i < count) {
    store_tail(dx + i, count - i,
               gelu_gradient(load_tail(x + i, count - i, 0), load_tail(dy + i, count - i, 0)));
  }
}

inline constexpr GeluKernels kGelu = {gelu_forward<uint16_t>, gelu_forward<float>,
                                      gelu_backward<uint16_t>, gelu_backward<float>};

}  // namespace
}  // namespace lmtrain

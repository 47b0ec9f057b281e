// Kernels over rows of logits. Only kernels_isa.cpp includes this file.
#pragma once

#include "models/kernels/kernels.h"
#include "models/kernels/vector.h"

namespace lmtrain {
namespace {

inline constexpr float kLowest = -3.0e38F;

template <class T>
float max_of(const T* row, int64_t count) {
  Floats best = all(kLowest);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const Floats x = load(row + i);
    best = x > best ? x : best;
  }
  const Floats x = load_tail(row + i, count - i, kLowest);
  best = x > best ? x : best;
  float result = best[0];
  for (int lane = 1; lane < kLanes; ++lane) result = best[lane] > result ? best[lane] : result;
  return result;
}

template <class T>
float sum_exp(const T* row, int64_t count, float shift) {
  Floats a = all(0);
  Floats b = all(0);
  int64_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    a += exponential(load(row + i) - shift);
    b += exponential(load(row + i + kLanes) - shift);
  }
  for (; i + kLanes <= count; i += kLanes) a += exponential(load(row + i) - shift);
  if (i < count) {
    const Floats tail = exponential(load_tail(row + i, count - i, kLowest) - shift);
    for (int64_t lane = 0; lane < count - i; ++lane) b[lane] += tail[lane];
  }
  return add_lanes(a + b);
}

template <class T>
void scaled_exp(T* row, int64_t count, float shift, float factor) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    store(row + i, exponential(load(row + i) - shift) * factor);
  if (i == count) return;
  store_tail(row + i, count - i,
             exponential(load_tail(row + i, count - i, kLowest) - shift) * factor);
}

inline constexpr CrossEntropyKernels kCrossEntropy = {max_of<uint16_t>,     max_of<float>,
                                                      sum_exp<uint16_t>,    sum_exp<float>,
                                                      scaled_exp<uint16_t>, scaled_exp<float>};

}  // namespace
}  // namespace lmtrain

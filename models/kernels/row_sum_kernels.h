// The kernels of sums over rows. Only kernels_isa.cpp includes this file.
#pragma once

#include "models/kernels/kernels.h"
#include "models/kernels/vector.h"

namespace lmtrain {
namespace {

// Rows are added up in parts of so many, which keeps the error of a long sum small.
inline constexpr int64_t kRowsAtOnce = 64;
inline constexpr int kVectorsAtOnce = 8;

template <class T, int kVectors>
void sum_columns(const T* rows, int64_t num_rows, int64_t stride, float* sums) {
  Floats total[kVectors] = {};
  for (int64_t begin = 0; begin < num_rows; begin += kRowsAtOnce) {
    const int64_t end = begin + kRowsAtOnce < num_rows ? begin + kRowsAtOnce : num_rows;
    Floats part[kVectors] = {};
    for (int64_t r = begin; r < end; ++r) {
      for (int v = 0; v < kVectors; ++v) part[v] += load(rows + r * stride + v * kLanes);
    }
    for (int v = 0; v < kVectors; ++v) total[v] += part[v];
  }
  for (int v = 0; v < kVectors; ++v) store(sums + v * kLanes, total[v]);
}

template <class T>
void sum_rows(const T* rows, int64_t num_rows, int64_t stride, int64_t columns, float* sums) {
  int64_t c = 0;
  for (; c + kVectorsAtOnce * kLanes <= columns; c += kVectorsAtOnce * kLanes) {
    sum_columns<T, kVectorsAtOnce>(rows + c, num_rows, stride, sums + c);
  }
  for (; c + kLanes <= columns; c += kLanes)
    sum_columns<T, 1>(rows + c, num_rows, stride, sums + c);
  if (c == columns) return;
  Floats total = {};
  for (int64_t r = 0; r < num_rows; ++r) total += load_tail(rows + r * stride + c, columns - c, 0);
  store_tail(sums + c, columns - c, total);
}

inline constexpr RowSumKernels kRowSum = {sum_rows<uint16_t>, sum_rows<float>};

}  // namespace
}  // namespace lmtrain

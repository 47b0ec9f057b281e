// The kernels of decoding, where a model reads few tokens at once. Only kernels_isa.cpp includes
// this file.
#pragma once

#include "models/kernels/kernels.h"
#include "models/kernels/vector.h"

namespace lmtrain {
namespace {

// Vectors of x to which one load of weights belongs, in the order that FewRows::x has: those of
// bf16 are the even and the odd elements of 32, those of int8 every fourth element of 64.
template <class T>
inline constexpr int kVectorsOfWeights = 2;
template <>
inline constexpr int kVectorsOfWeights<int8_t> = 4;

inline void load_weights(const float* from, Floats* to) {
  to[0] = load(from);
  to[1] = load(from + kLanes);
}

inline void load_weights(const uint16_t* from, Floats* to) {
  const Words pairs = load_words(from);
  const Words even = pairs << 16;
  const Words odd = pairs & 0xFFFF0000U;
  __builtin_memcpy(&to[0], &even, sizeof even);
  __builtin_memcpy(&to[1], &odd, sizeof odd);
}

// Shifts bring each byte of a word to its top, and back with its sign.
inline void load_weights(const int8_t* from, Floats* to) {
  Ints bytes;
  __builtin_memcpy(&bytes, from, sizeof bytes);
  to[0] = __builtin_convertvector((bytes << 24) >> 24, Floats);
  to[1] = __builtin_convertvector((bytes << 16) >> 24, Floats);
  to[2] = __builtin_convertvector((bytes << 8) >> 24, Floats);
  to[3] = __builtin_convertvector(bytes >> 24, Floats);
}

// Each product is summed in the same order whatever kRows and kOutputs are, so that a row does not
// depend on those beside it. What the next block reads is fetched meanwhile: processors do not
// foresee that, because rows are short and lie in pages of their own.
template <int kRows, int kOutputs, class T>
void product_block(const FewRows<T>& job, int64_t row, int64_t output) {
  constexpr int64_t kStep = kVectorsOfWeights<T> * kLanes;
  Floats sums[kRows][kOutputs] = {};
  const T* const weights = job.weights + output * job.width;
  const float* const x = job.x + row * job.width;
  int64_t i = 0;
  for (; i + kStep <= job.width; i += kStep) {
    Floats w[kOutputs][kVectorsOfWeights<T>];
    for (int o = 0; o < kOutputs; ++o) {
      const T* const from = weights + o * job.width + i;
      constexpr int64_t kLine = 64 / sizeof(T);
      for (int64_t line = 0; line < kStep; line += kLine)
        __builtin_prefetch(from + kOutputs * job.width + line);
      load_weights(from, w[o]);
    }
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < kVectorsOfWeights<T>; ++v) {
        const Floats values = load(x + r * job.width + i + v * kLanes);
        for (int o = 0; o < kOutputs; ++o) sums[r][o] += values * w[o][v];
      }
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int o = 0; o < kOutputs; ++o) {
      float sum = add_lanes(sums[r][o]);
      for (int64_t k = i; k < job.width; ++k)
        sum += x[r * job.width + k] * load_one(weights + o * job.width + k);
      job.y[(row + r) * job.stride + output + o] = sum;
    }
  }
}

template <int kRows, int kOutputs, class T>
void product_rows(const FewRows<T>& job, int64_t row) {
  int64_t output = job.first;
  for (; output + kOutputs <= job.end; output += kOutputs)
    product_block<kRows, kOutputs>(job, row, output);
  for (; output < job.end; ++output) product_block<kRows, 1>(job, row, output);
}

// As many sums at a time as registers hold, so that weights are read as seldom as possible.
template <class T>
void products(const FewRows<T>& job) {
  constexpr int kFewer = kVectorsOfWeights<T> / 2;
  int64_t row = 0;
  for (; row + 8 <= job.num_rows; row += 8) product_rows<8, 2 / kFewer>(job, row);
  for (; row + 4 <= job.num_rows; row += 4) product_rows<4, 4 / kFewer>(job, row);
  for (; row < job.num_rows; ++row) product_rows<1, 4>(job, row);
}

template <class T>
void attend(const CachedQuery<T>& query) {
  const int64_t count = query.end - query.first;
  float largest = -3e38F;
  for (int64_t i = 0; i < count; ++i) {
    const T* const key = query.keys + (query.first + i) * query.width;
    Floats sum = {};
    for (int64_t d = 0; d < query.width; d += kLanes) sum += load(query.query + d) * load(key + d);
    query.scores[i] = add_lanes(sum) * query.scale;
    if (query.scores[i] > largest) largest = query.scores[i];
  }
  float total = 0;
  for (int64_t d = 0; d < query.width; d += kLanes) store(query.result + d, Floats{});
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t lanes = count - i < kLanes ? count - i : kLanes;
    const Floats weights = exponential(
        (lanes == kLanes ? load(query.scores + i) : load_tail(query.scores + i, lanes, -3e38F)) -
        largest);
    total += add_lanes(weights);
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const T* const value = query.values + (query.first + i + lane) * query.width;
      for (int64_t d = 0; d < query.width; d += kLanes)
        store(query.result + d, load(query.result + d) + load(value + d) * weights[lane]);
    }
  }
  for (int64_t d = 0; d < query.width; d += kLanes)
    store(query.result + d, load(query.result + d) * (1.0F / total));
}

inline constexpr DecodingKernels kDecoding = {products<uint16_t>, products<float>, products<int8_t>,
                                              attend<uint16_t>, attend<float>};

}  // namespace
}  // namespace lmtrain

// The statistics of rows of logits, and the gradient of their cross-entropy. One block computes one
// row. The order of each sum depends on the width alone.
#include <cmath>
#include <type_traits>

#include "models/cuda/launch.h"
#include "parallel/cuda/block_reduce.cuh"
#include "parallel/cuda/number.cuh"

namespace lmtrain::cuda {
namespace {

constexpr int kThreads = 512;

// Whether every row begins at a multiple of 16 bytes.
template <class T>
bool is_packed(const RowsLaunch& launch) {
  return launch.width % Pack<T>::kSize == 0 && reinterpret_cast<uintptr_t>(launch.logits) % 16 == 0;
}

// The largest of some values, and the sum of exp(value - largest). A NaN among the values makes the
// sum NaN.
template <class A>
struct Statistics {
  A largest;
  A sum;

  template <int kCount>
  __device__ void add(const A (&x)[kCount]) {
    A top = x[0];
#pragma unroll
    for (int i = 1; i < kCount; ++i) top = x[i] <= top ? top : x[i];
    if (!(top <= largest)) {
      sum *= exp(largest - top);
      largest = top;
    }
#pragma unroll
    for (int i = 0; i < kCount; ++i) sum += exp(x[i] - largest);
  }
  __device__ Statistics with(const Statistics& other) const {
    const A top = other.largest <= largest ? largest : other.largest;
    return {top, sum * exp(largest - top) + other.sum * exp(other.largest - top)};
  }
};

template <class A>
__device__ Statistics<A> shifted_down(const Statistics<A>& value, int offset) {
  return {__shfl_down_sync(0xFFFFFFFFU, value.largest, offset),
          __shfl_down_sync(0xFFFFFFFFU, value.sum, offset)};
}

// Computes the statistics in one pass (Milakov and Gimelshein, "Online normalizer calculation for
// softmax", 2018).
template <bool kPacked, class T, class A>
__global__ void softmax_statistics_kernel(const T* logits, int64_t width, int64_t columns,
                                          A* largest, A* sum_exp) {
  constexpr Statistics<A> kNone = {static_cast<A>(-3e38), A{0}};
  const T* const row = logits + blockIdx.x * width;
  Statistics<A> found = kNone;
  int64_t done = 0;
  if constexpr (kPacked) {
    constexpr int kSize = Pack<T>::kSize;
    for (int64_t p = threadIdx.x; p < columns / kSize; p += kThreads) {
      const Pack<T> pack = reinterpret_cast<const Pack<T>*>(row)[p];
      A x[kSize];
#pragma unroll
      for (int i = 0; i < kSize; ++i) x[i] = widen(pack.values[i]);
      found.add(x);
    }
    done = columns / kSize * kSize;
  }
  for (int64_t i = done + threadIdx.x; i < columns; i += kThreads) {
    const A x[1] = {widen(row[i])};
    found.add(x);
  }
  found = over_block<kThreads>(
      found, kNone, [](const Statistics<A>& a, const Statistics<A>& b) { return a.with(b); });
  if (threadIdx.x != 0) return;
  largest[blockIdx.x] = found.largest;
  sum_exp[blockIdx.x] = found.sum;
}

template <bool kPacked, class T, class A>
__global__ void loss_gradient_kernel(T* logits, int64_t width, int64_t columns, const A* log_sums,
                                     const A* factors, const int64_t* labels,
                                     const A* label_factors) {
  const A log_sum = log_sums[blockIdx.x];
  const A factor = factors[blockIdx.x];
  const A label_factor = label_factors[blockIdx.x];
  const int64_t label = labels[blockIdx.x];
  T* const row = logits + blockIdx.x * width;
  const auto update = [&](int64_t column, T& value) {
    A gradient = column < columns ? factor * exp(widen(value) - log_sum) : A{0};
    if (column == label) gradient -= label_factor;
    narrow(gradient, value);
  };
  if constexpr (kPacked) {
    constexpr int kSize = Pack<T>::kSize;
    for (int64_t p = threadIdx.x; p < width / kSize; p += kThreads) {
      Pack<T> pack = reinterpret_cast<Pack<T>*>(row)[p];
#pragma unroll
      for (int i = 0; i < kSize; ++i) update(p * kSize + i, pack.values[i]);
      reinterpret_cast<Pack<T>*>(row)[p] = pack;
    }
  } else {
    for (int64_t i = threadIdx.x; i < width; i += kThreads) update(i, row[i]);
  }
}

// Calls f(logits, whether rows are packed as a type, stream) in the launch's type.
template <class F>
int launch_rows(const RowsLaunch& launch, F f) {
  if (launch.rows == 0) return 0;
  with_type(launch.type, [&](auto number) {
    using T = decltype(number);
    auto* const logits = static_cast<T*>(launch.logits);
    if (is_packed<T>(launch)) {
      f(logits, std::true_type{});
    } else {
      f(logits, std::false_type{});
    }
  });
  return static_cast<int>(cudaGetLastError());
}

}  // namespace

int launch_softmax_statistics(const RowsLaunch& l, void* largest, void* sum_exp) {
  return launch_rows(l, [&](auto* logits, auto packed) {
    using T = std::remove_pointer_t<decltype(logits)>;
    using A = typename Accumulate<T>::type;
    softmax_statistics_kernel<decltype(packed)::value, T, A>
        <<<static_cast<unsigned>(l.rows), kThreads, 0, static_cast<cudaStream_t>(l.stream)>>>(
            logits, l.width, l.columns, static_cast<A*>(largest), static_cast<A*>(sum_exp));
  });
}

int launch_loss_gradient(const RowsLaunch& l, const void* log_sum, const void* factor,
                         const int64_t* labels, const void* label_factor) {
  return launch_rows(l, [&](auto* logits, auto packed) {
    using T = std::remove_pointer_t<decltype(logits)>;
    using A = typename Accumulate<T>::type;
    loss_gradient_kernel<decltype(packed)::value, T, A>
        <<<static_cast<unsigned>(l.rows), kThreads, 0, static_cast<cudaStream_t>(l.stream)>>>(
            logits, l.width, l.columns, static_cast<const A*>(log_sum),
            static_cast<const A*>(factor), labels, static_cast<const A*>(label_factor));
  });
}

}  // namespace lmtrain::cuda

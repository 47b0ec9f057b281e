// Statistics of rows of logits and the gradient of their cross-entropy: one block a row, sums in an
// order that depends on the width alone.
#include <cmath>

#include "models/cuda/number.cuh"

namespace lmtrain::cuda {
namespace {

constexpr int kThreads = 512;
constexpr int kWarps = kThreads / 32;

// 16 bytes of a row, read and written at once.
template <class T>
struct alignas(16) Pack {
  static constexpr int kSize = 16 / sizeof(T);
  T values[kSize];
};

// Rows begin at a multiple of 16 bytes.
template <class T>
bool is_packed(const RowsLaunch& launch) {
  return launch.width % Pack<T>::kSize == 0 && reinterpret_cast<uintptr_t>(launch.logits) % 16 == 0;
}

// Calls f(value) for this thread's elements of the row.
template <bool kPacked, class T, class F>
__device__ void for_each(const T* row, int64_t columns, F f) {
  int64_t done = 0;
  if constexpr (kPacked) {
    const int64_t packs = columns / Pack<T>::kSize;
    for (int64_t p = threadIdx.x; p < packs; p += kThreads) {
      const Pack<T> pack = reinterpret_cast<const Pack<T>*>(row)[p];
#pragma unroll
      for (int i = 0; i < Pack<T>::kSize; ++i) f(widen(pack.values[i]));
    }
    done = packs * Pack<T>::kSize;
  }
  for (int64_t i = done + threadIdx.x; i < columns; i += kThreads) f(widen(row[i]));
}

// The result is thread 0's.
template <class A, class Combine>
__device__ A over_block(A value, A neutral, Combine combine) {
  __shared__ A of_warps[kWarps];
  for (int offset = 16; offset > 0; offset /= 2)
    value = combine(value, __shfl_down_sync(0xFFFFFFFFU, value, offset));
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
  __syncthreads();
  if (threadIdx.x >= 32) return value;
  value = threadIdx.x < kWarps ? of_warps[threadIdx.x] : neutral;
  for (int offset = 16; offset > 0; offset /= 2)
    value = combine(value, __shfl_down_sync(0xFFFFFFFFU, value, offset));
  return value;
}

template <bool kPacked, class T, class A>
__global__ void row_max_kernel(const T* logits, int64_t width, int64_t columns, A* out) {
  constexpr A kLowest = static_cast<A>(-3e38);
  A largest = kLowest;
  for_each<kPacked>(logits + blockIdx.x * width, columns,
                    [&](A x) { largest = x > largest || isnan(x) ? x : largest; });
  largest = over_block(largest, kLowest, [](A a, A b) { return b > a || isnan(b) ? b : a; });
  if (threadIdx.x == 0) out[blockIdx.x] = largest;
}

template <bool kPacked, class T, class A>
__global__ void row_sum_exp_kernel(const T* logits, int64_t width, int64_t columns, const A* shifts,
                                   A* out) {
  const A shift = shifts[blockIdx.x];
  A sum = 0;
  for_each<kPacked>(logits + blockIdx.x * width, columns, [&](A x) { sum += exp(x - shift); });
  sum = over_block(sum, A{0}, [](A a, A b) { return a + b; });
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
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

int launch_row_max(const RowsLaunch& l, void* out) {
  return launch_rows(l, [&](auto* logits, auto packed) {
    using T = std::remove_pointer_t<decltype(logits)>;
    using A = typename Accumulate<T>::type;
    row_max_kernel<decltype(packed)::value, T, A>
        <<<static_cast<unsigned>(l.rows), kThreads, 0, static_cast<cudaStream_t>(l.stream)>>>(
            logits, l.width, l.columns, static_cast<A*>(out));
  });
}

int launch_row_sum_exp(const RowsLaunch& l, const void* shift, void* out) {
  return launch_rows(l, [&](auto* logits, auto packed) {
    using T = std::remove_pointer_t<decltype(logits)>;
    using A = typename Accumulate<T>::type;
    row_sum_exp_kernel<decltype(packed)::value, T, A>
        <<<static_cast<unsigned>(l.rows), kThreads, 0, static_cast<cudaStream_t>(l.stream)>>>(
            logits, l.width, l.columns, static_cast<const A*>(shift), static_cast<A*>(out));
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

const char* error_text(int code) { return cudaGetErrorString(static_cast<cudaError_t>(code)); }

}  // namespace lmtrain::cuda

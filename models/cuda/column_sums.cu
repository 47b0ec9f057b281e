// Gradients of biases and of a norm's weight: sums over the rows of a tall matrix. Each block adds
// up a stretch of columns over a chunk of rows; a second kernel adds the chunks in their order.
#include "models/cuda/launch.h"
#include "parallel/cuda/number.cuh"

namespace lmtrain::cuda {
namespace {

constexpr int kLanes = 32;
constexpr int kWarps = 8;

// The `kWidth` columns of one lane, read at once.
template <int kWidth, class T>
struct Columns {
  T values[kWidth];
  __device__ explicit Columns(const T* from) {
    if constexpr (kWidth == Pack<T>::kSize) {
      const Pack<T> pack = *reinterpret_cast<const Pack<T>*>(from);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) values[i] = pack.values[i];
    } else {
#pragma unroll
      for (int i = 0; i < kWidth; ++i) values[i] = from[i];
    }
  }
};

template <int kWidth, bool kWithProducts, class T, class A>
__global__ void partial_kernel(const T* dy, const T* x, const A* mean, const A* rstd, int64_t rows,
                               int64_t columns, A* partial) {
  const int64_t column = (static_cast<int64_t>(blockIdx.x) * kLanes + threadIdx.x) * kWidth;
  A sums[kWidth] = {};
  A products[kWidth] = {};
  if (column < columns) {
#pragma unroll 2
    for (int64_t row = static_cast<int64_t>(blockIdx.y) * kWarps + threadIdx.y; row < rows;
         row += static_cast<int64_t>(kSumChunks) * kWarps) {
      const Columns<kWidth, T> gradient(dy + row * columns + column);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) sums[i] += widen(gradient.values[i]);
      if constexpr (kWithProducts) {
        const Columns<kWidth, T> input(x + row * columns + column);
        const A shift = mean[row];
        const A scale = rstd[row];
#pragma unroll
        for (int i = 0; i < kWidth; ++i)
          products[i] += widen(gradient.values[i]) * ((widen(input.values[i]) - shift) * scale);
      }
    }
  }
  __shared__ A of_warps[kWarps][kLanes];
  A* const out = partial + static_cast<int64_t>(blockIdx.y) * (kWithProducts ? 2 : 1) * columns;
  for (int part = 0; part < (kWithProducts ? 2 : 1); ++part) {
    for (int i = 0; i < kWidth; ++i) {
      of_warps[threadIdx.y][threadIdx.x] = part == 0 ? sums[i] : products[i];
      __syncthreads();
      if (threadIdx.y == 0 && column < columns) {
        A total = 0;
        for (int warp = 0; warp < kWarps; ++warp) total += of_warps[warp][threadIdx.x];
        out[part * columns + column + i] = total;
      }
      __syncthreads();
    }
  }
}

template <class A>
__global__ void total_kernel(const A* partial, int64_t columns, int64_t stride, int chunks, A* sums,
                             A* products) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * kLanes + threadIdx.x;
  __shared__ A of_warps[kWarps][kLanes];
  A sum = 0;
  if (at < stride) {
#pragma unroll 4
    for (int chunk = static_cast<int>(threadIdx.y); chunk < chunks; chunk += kWarps)
      sum += partial[chunk * stride + at];
  }
  of_warps[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || at >= stride) return;
  for (int warp = 1; warp < kWarps; ++warp) sum += of_warps[warp][threadIdx.x];
  (at < columns ? sums[at] : products[at - columns]) = sum;
}

template <int kWidth, class T>
void launch(const ColumnSumsLaunch& l) {
  using A = typename Accumulate<T>::type;
  auto* const stream = static_cast<cudaStream_t>(l.stream);
  const auto blocks_of = [](int64_t columns, int64_t width) {
    return static_cast<unsigned>((columns + width - 1) / width);
  };
  const int64_t needed = l.rows == 0 ? 1 : (l.rows + kWarps - 1) / kWarps;
  const int chunks = needed < kSumChunks ? static_cast<int>(needed) : kSumChunks;
  const dim3 blocks(blocks_of(l.columns, kLanes * kWidth), static_cast<unsigned>(chunks));
  const dim3 threads(kLanes, kWarps);
  const auto* const dy = static_cast<const T*>(l.dy);
  const auto* const x = static_cast<const T*>(l.x);
  const auto* const mean = static_cast<const A*>(l.mean);
  const auto* const rstd = static_cast<const A*>(l.rstd);
  auto* const partial = static_cast<A*>(l.partial);
  if (x == nullptr) {
    partial_kernel<kWidth, false, T, A>
        <<<blocks, threads, 0, stream>>>(dy, x, mean, rstd, l.rows, l.columns, partial);
  } else {
    partial_kernel<kWidth, true, T, A>
        <<<blocks, threads, 0, stream>>>(dy, x, mean, rstd, l.rows, l.columns, partial);
  }
  const int64_t stride = (x == nullptr ? 1 : 2) * l.columns;
  total_kernel<A><<<blocks_of(stride, kLanes), threads, 0, stream>>>(
      partial, l.columns, stride, chunks, static_cast<A*>(l.sums), static_cast<A*>(l.products));
}

}  // namespace

int launch_column_sums(const ColumnSumsLaunch& l) {
  if (l.columns == 0) return 0;
  with_type(l.type, [&](auto number) {
    using T = decltype(number);
    const auto aligned = [](const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; };
    if (l.columns % Pack<T>::kSize == 0 && aligned(l.dy) && aligned(l.x)) {
      launch<Pack<T>::kSize, T>(l);
    } else {
      launch<1, T>(l);
    }
  });
  return static_cast<int>(cudaGetLastError());
}

}  // namespace lmtrain::cuda

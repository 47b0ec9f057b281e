#include "parallel/cuda/block_reduce.cuh"
#include "parallel/cuda/number.cuh"

namespace lmtrain::cuda {
namespace {

constexpr int kGroups = 4;  // groups of threads that share the rows of one id
constexpr int kColumns = 64;
constexpr int kSumThreads = 256;

// There is one block for each place in the sorted ids and each stretch of columns; a block ends at
// once where no new id begins. Group g of threads adds the rows g, g + kGroups, ... of the id, then
// the groups' sums are added in their order.
template <class T, class A>
__global__ void add_rows_kernel(const T* rows, A* table, const int64_t* ids, const int64_t* order,
                                int64_t count, int64_t features) {
  const int64_t begin = blockIdx.x;
  const int64_t id = ids[begin];
  if (begin > 0 && ids[begin - 1] == id) return;
  const int64_t column = static_cast<int64_t>(blockIdx.y) * kColumns + threadIdx.x;
  __shared__ A sums[kGroups][kColumns];
  A sum = 0;
  if (column < features) {
#pragma unroll 4
    for (int64_t i = begin + threadIdx.y; i < count && ids[i] == id; i += kGroups)
      sum += widen(rows[order[i] * features + column]);
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= features) return;
  for (int group = 1; group < kGroups; ++group) sum += sums[group][threadIdx.x];
  table[id * features + column] += sum;
}

template <class T>
__global__ void squares_kernel(const T* values, int64_t count, double* partial) {
  double sum = 0;
  const int64_t step = static_cast<int64_t>(kSumBlocks) * kSumThreads;
#pragma unroll 4
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kSumThreads + threadIdx.x; i < count;
       i += step) {
    const auto x = static_cast<double>(values[i]);
    sum += x * x;
  }
  sum = over_block<kSumThreads>(sum, 0.0, [](double a, double b) { return a + b; });
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void total_kernel(const double* partial, double* out) {
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < kSumBlocks; i += kSumThreads) sum += partial[i];
  sum = over_block<kSumThreads>(sum, 0.0, [](double a, double b) { return a + b; });
  if (threadIdx.x == 0) *out = sum;
}

}  // namespace

int launch_add_rows(const AddRowsLaunch& l) {
  if (l.count == 0) return 0;
  const dim3 blocks(static_cast<unsigned>(l.count),
                    static_cast<unsigned>((l.features + kColumns - 1) / kColumns));
  with_type(l.row_type, [&](auto number) {
    using T = decltype(number);
    using A = typename Accumulate<T>::type;
    add_rows_kernel<T, A>
        <<<blocks, dim3(kColumns, kGroups), 0, static_cast<cudaStream_t>(l.stream)>>>(
            static_cast<const T*>(l.rows), static_cast<A*>(l.table), l.sorted_ids, l.order, l.count,
            l.features);
  });
  return static_cast<int>(cudaGetLastError());
}

int launch_sum_of_squares(Type type, const void* values, int64_t count, double* partial,
                          double* out, void* stream) {
  auto* const on = static_cast<cudaStream_t>(stream);
  with_type(type, [&](auto number) {
    using T = decltype(number);
    squares_kernel<<<kSumBlocks, kSumThreads, 0, on>>>(static_cast<const T*>(values), count,
                                                       partial);
  });
  total_kernel<<<1, kSumThreads, 0, on>>>(partial, out);
  return static_cast<int>(cudaGetLastError());
}

const char* error_text(int code) { return cudaGetErrorString(static_cast<cudaError_t>(code)); }

}  // namespace lmtrain::cuda

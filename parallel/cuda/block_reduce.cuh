// Reductions within a block, in an order that never changes.
#pragma once

namespace lmtrain::cuda {

template <class V>
__device__ V shifted_down(V value, int offset) {
  return __shfl_down_sync(0xFFFFFFFFU, value, offset);
}

// Combines the values of all kThreads threads of a one-dimensional block; thread 0 gets the result.
// A kernel may call this once, or more often with __syncthreads() in between.
template <int kThreads, class V, class Combine>
__device__ V over_block(V value, V neutral, Combine combine) {
  constexpr int kWarps = kThreads / 32;
  __shared__ V of_warps[kWarps];
  for (int offset = 16; offset > 0; offset /= 2)
    value = combine(value, shifted_down(value, offset));
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
  __syncthreads();
  if (threadIdx.x >= 32) return value;
  value = threadIdx.x < kWarps ? of_warps[threadIdx.x] : neutral;
  for (int offset = 16; offset > 0; offset /= 2)
    value = combine(value, shifted_down(value, offset));
  return value;
}

}  // namespace lmtrain::cuda

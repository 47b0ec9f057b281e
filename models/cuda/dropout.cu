// Dropout by Philox4x32-10, bit-equal to what base/philox.h draws on the host. Each counter serves
// eight elements of a row, with 16 bits each.
#include "models/cuda/launch.h"
#include "parallel/cuda/number.cuh"

namespace lmtrain::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kElements = 8;

__device__ uint4 philox(uint32_t k0, uint32_t k1, uint4 c) {
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const uint32_t high0 = __umulhi(0xD2511F53U, c.x);
    const uint32_t low0 = 0xD2511F53U * c.x;
    const uint32_t high1 = __umulhi(0xCD9E8D57U, c.z);
    const uint32_t low1 = 0xCD9E8D57U * c.z;
    c = make_uint4(high1 ^ c.y ^ k0, low1, high0 ^ c.w ^ k1, low0);
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return c;
}

template <class T>
__global__ void dropout_kernel(DropoutLaunch launch, int64_t chunks_of_row, int64_t total) {
  const int64_t at = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (at >= total) return;
  const int64_t local_row = at / chunks_of_row;
  const int64_t row = launch.first_row + local_row;
  const int64_t chunk = at % chunks_of_row;
  const int64_t position = row % launch.positions;
  const int64_t head = row / launch.positions % launch.heads;
  const int64_t sample = launch.samples[row / launch.positions / launch.heads];
  const uint4 bits = philox(
      launch.key0, launch.key1 ^ static_cast<uint32_t>(static_cast<uint64_t>(sample) >> 32),
      make_uint4(static_cast<uint32_t>(chunk), static_cast<uint32_t>(position),
                 launch.first_head + static_cast<uint32_t>(head), static_cast<uint32_t>(sample)));
  const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};

  T scale;
  narrow(static_cast<typename Accumulate<T>::type>(launch.scale), scale);
  const int64_t begin = local_row * launch.features + chunk * kElements;
  const int64_t left = launch.features - chunk * kElements;
  const T* const x = static_cast<const T*>(launch.x) + begin;
  T* const y = static_cast<T*>(launch.y) + begin;
#pragma unroll
  for (int i = 0; i < kElements; ++i) {
    if (i >= left) return;
    const uint32_t drawn = i % 2 == 0 ? words[i / 2] & 0xFFFFU : words[i / 2] >> 16;
    const auto factor = drawn < launch.threshold ? 0 : widen(scale);
    narrow(widen(x[i]) * factor, y[i]);
  }
}

}  // namespace

int launch_dropout(const DropoutLaunch& launch) {
  const int64_t chunks = (launch.features + kElements - 1) / kElements;
  const int64_t total = launch.rows * chunks;
  if (total == 0) return 0;
  const auto blocks = static_cast<unsigned>((total + kThreads - 1) / kThreads);
  with_type(launch.type, [&](auto number) {
    dropout_kernel<decltype(number)>
        <<<blocks, kThreads, 0, static_cast<cudaStream_t>(launch.stream)>>>(launch, chunks, total);
  });
  return static_cast<int>(cudaGetLastError());
}

}  // namespace lmtrain::cuda

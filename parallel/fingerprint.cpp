#include "parallel/fingerprint.h"

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "base/hash.h"

namespace lmtrain {
namespace {

constexpr int64_t kBlock = int64_t{256} << 10;

uint64_t fingerprint_on_host(const void* data, int64_t bytes) {
  const auto* const begin = static_cast<const char*>(data);
  const int64_t num_blocks = (bytes + kBlock - 1) / kBlock;
  std::vector<uint64_t> hashes(static_cast<size_t>(num_blocks));
  at::parallel_for(0, num_blocks, 4, [&](int64_t from, int64_t to) {
    for (int64_t block = from; block < to; ++block) {
      const int64_t first = block * kBlock;
      hashes[static_cast<size_t>(block)] =
          hash_bytes(begin + first, static_cast<size_t>(std::min(kBlock, bytes - first)));
    }
  });
  return hash_bytes(hashes.data(), hashes.size() * sizeof(uint64_t));
}

}  // namespace

uint64_t fingerprint(const at::Tensor& tensor) {
  TORCH_CHECK(tensor.is_contiguous());
  if (tensor.numel() == 0) return 0;
  const auto bytes = static_cast<int64_t>(tensor.nbytes());
  if (!tensor.is_cuda()) return fingerprint_on_host(tensor.const_data_ptr(), bytes);
  const at::ScalarType word = bytes % 4 == 0 ? at::kInt : at::kShort;
  const at::Tensor flat = tensor.view({-1});
  return static_cast<uint64_t>(flat.view(word).sum(at::kLong).item<int64_t>());
}

}  // namespace lmtrain

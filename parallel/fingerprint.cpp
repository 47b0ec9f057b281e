#include "parallel/fingerprint.h"

#include <ATen/ATen.h>

namespace lmtrain {

at::Tensor word_sum(const at::Tensor& tensor) {
  const at::ScalarType word = tensor.nbytes() % 4 == 0 ? at::kInt : at::kShort;
  return tensor.view({-1}).view(word).sum(at::kLong);
}

uint64_t fingerprint(const at::Tensor& tensor) {
  TORCH_CHECK(tensor.is_contiguous());
  if (tensor.numel() == 0) return 0;
  if (tensor.is_cuda()) return static_cast<uint64_t>(word_sum(tensor).item<int64_t>());
  BlockHashes hashes(static_cast<int64_t>(tensor.nbytes()));
  const auto* const data = static_cast<const char*>(tensor.const_data_ptr());
  hashes.for_each([&](int64_t block) { hashes.hash(block, data); });
  return hashes.fingerprint();
}

}  // namespace lmtrain

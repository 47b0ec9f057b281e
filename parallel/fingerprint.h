// A fingerprint of a tensor's bits, to compare what should be the same to the bit.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace lmtrain {

// Of a contiguous tensor: XXH3 on the CPU, taken by all threads; on a GPU the sum of its words, which
// any single changed bit changes. Fingerprints of one kind of device are compared with each other.
uint64_t fingerprint(const at::Tensor& tensor);

}  // namespace lmtrain

// Sums over rows in the master type, such as the gradient of a bias.
#pragma once

#include <ATen/core/Tensor.h>

namespace lmtrain {

// rows: [rows, columns], contiguous; returns [columns], in double for double rows, else in float.
// The order of addition does not depend on the number of threads.
at::Tensor sum_of_rows(const at::Tensor& rows);

}  // namespace lmtrain

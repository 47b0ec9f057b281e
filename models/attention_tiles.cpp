#include "models/attention_tiles.h"

namespace lmtrain {

void multiply(int64_t columns, int64_t inner, const Bf16* a, int64_t lda, const Bf16* b,
              int64_t ldb, float* c, int64_t ldc, bool add) {
  at::native::cpublas::brgemm(kTile, columns, inner, lda, ldb, ldc, add,
                              reinterpret_cast<const at::BFloat16*>(a),
                              reinterpret_cast<const at::BFloat16*>(b), c);
}

HeadMatrix head_matrix(const at::Tensor& tensor, const AttentionShape& shape, int64_t sample,
                       int64_t head) {
  return {static_cast<const Bf16*>(tensor.data_ptr()) + sample * tensor.stride(0) +
              head * tensor.stride(1),
          tensor.stride(2), shape.positions, shape.rows, shape.head_size};
}

Bf16* head_rows(const at::Tensor& tensor, int64_t sample, int64_t head) {
  return static_cast<Bf16*>(tensor.data_ptr()) + sample * tensor.stride(0) +
         head * tensor.stride(1);
}

}  // namespace lmtrain

#include "parallel/cuda/tensor_launch.h"

#include <c10/cuda/CUDAStream.h>
#include <c10/util/Exception.h>

namespace lmtrain::cuda {

void* stream_of(const at::Tensor& tensor) {
  return c10::cuda::getCurrentCUDAStream(tensor.device().index()).stream();
}

void check_launch(int code, const char* kernel) {
  TORCH_CHECK(code == 0, "the ", kernel, " kernel could not start: ", error_text(code));
}

}  // namespace lmtrain::cuda

#include "trainer/run/training_memory.h"

#include <ATen/ATen.h>

#include "base/log.h"
#include "base/text.h"
#include "parallel/device.h"

namespace lmtrain {

TrainingMemory::TrainingMemory(at::Device device) : device_(device) {
  if (device.is_cpu()) watch_.emplace();
}

void TrainingMemory::note_once(int64_t computed_bytes, Launch& launch) {
  if (is_noted_) return;
  is_noted_ = true;
  const int64_t own = watch_ ? watch_->peak_bytes() : peak_tensor_bytes(device_);
  watch_.reset();
  const at::Tensor most = at::tensor({own}, at::kLong);
  launch.world().all_reduce(most, ReduceOp::kMax)->wait();
  if (launch.rank() != 0) return;
  log_info(cat("training takes ", most.item<int64_t>() >> 20, " MiB a rank, computed ",
               computed_bytes >> 20, " MiB"));
}

}  // namespace lmtrain

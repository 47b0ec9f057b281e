#include "parallel/gradient_sync.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace lmtrain {

GradientSync::GradientSync(ParameterStore& store, Communicator& data, int64_t bucket_bytes)
    : store_(store), data_(data), bucket_bytes_(bucket_bytes) {
  for (const Parameter* parameter : store_.parameters()) {
    TORCH_CHECK(parameter->spec().gradient_axes == std::vector{MeshAxis::kData}, "the gradient of ",
                parameter->spec().name,
                " is summed over other axes than data, which GradientSync does not do");
  }
  store_.on_unit_ready = [this](ParameterUnit& unit) { reduce(unit); };
}

GradientSync::~GradientSync() { store_.on_unit_ready = nullptr; }

void GradientSync::reduce(ParameterUnit& unit) {
  started_.push_back(&unit);
  if (data_.size() == 1) return;
  const at::Tensor& gradient = unit.gradient();
  const int64_t most =
      std::max<int64_t>(1, bucket_bytes_ / static_cast<int64_t>(gradient.element_size()));
  for (int64_t begin = 0; begin < gradient.numel(); begin += most) {
    const int64_t length = std::min(most, gradient.numel() - begin);
    works_.push_back(data_.all_reduce(gradient.narrow(0, begin, length), ReduceOp::kSum));
  }
}

void GradientSync::finish() {
  for (const auto& unit : store_.units()) {
    const bool started = std::find(started_.begin(), started_.end(), unit.get()) != started_.end();
    TORCH_CHECK(started, "backward did not reach all uses of unit ", unit->name());
  }
  for (const WorkPtr& work : works_) work->wait();
  works_.clear();
  started_.clear();
}

}  // namespace lmtrain

#include "parallel/logical_tensors.h"

#include <ATen/ATen.h>

namespace lmtrain {
namespace {

at::Tensor logical_of(const Parameter& parameter, const at::Tensor& whole_buffer,
                      Communicator& tensor) {
  const ParameterSpec& spec = parameter.spec();
  const at::Tensor local = parameter.in(whole_buffer);
  return spec.logical_from(spec.is_cut() ? gather_parts(tensor, local) : std::vector{local});
}

}  // namespace

const at::Tensor& shard_of(const ParameterUnit& unit, StateBuffer buffer) {
  switch (buffer) {
    case StateBuffer::kWeights:
      return unit.master();
    case StateBuffer::kExpAvg:
      return unit.exp_avg();
    case StateBuffer::kExpAvgSq:
      return unit.exp_avg_sq();
    default:
      return unit.reduced_gradient();
  }
}

void for_each_logical(const ParameterUnit& unit, StateBuffer buffer, const Sharding& sharding,
                      Communicator& tensor,
                      const std::function<void(const Parameter&, const at::Tensor&)>& visit) {
  at::Tensor whole = shard_of(unit, buffer);
  if (sharding.num_shards() > 1) {
    const at::Tensor mine = whole;
    whole = at::empty({unit.numel()}, mine.options());
    sharding.data->all_gather(whole, mine)->wait();
  }
  for (const auto& parameter : unit.parameters())
    visit(*parameter, logical_of(*parameter, whole, tensor));
}

void set_from_logical(const Parameter& parameter, StateBuffer buffer, const at::Tensor& logical) {
  const auto span = parameter.span_in_shard();
  if (span.count == 0) return;
  const at::Tensor local = parameter.spec().local_part(logical).reshape({-1});
  shard_of(parameter.unit(), buffer)
      .narrow(0, span.begin, span.count)
      .copy_(local.narrow(0, span.first_element, span.count));
}

}  // namespace lmtrain

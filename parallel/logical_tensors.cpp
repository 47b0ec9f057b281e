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

bool has_buffer(const Parameter& parameter, const std::string& buffer) {
  if (buffer == kGradient) return parameter.is_trained();
  return buffer == kWeights || parameter.has_state(buffer);
}

std::vector<std::string> stored_buffers(const ParameterUnit& unit) {
  std::vector<std::string> buffers = {kWeights};
  for (const StateBuffer& state : unit.state()) buffers.push_back(state.name);
  return buffers;
}

void for_each_logical(const ParameterUnit& unit, const std::string& buffer,
                      const Sharding& sharding, Communicator& tensor,
                      const std::function<void(const Parameter&, const at::Tensor&)>& visit) {
  if (buffer == kGradient && unit.is_frozen()) return;
  at::Tensor whole = unit.whole_shard(buffer);
  if (sharding.num_shards() > 1) {
    const at::Tensor mine = whole;
    whole = at::empty({unit.numel()}, mine.options());
    sharding.data->all_gather(whole, mine)->wait();
  }
  for (const auto& parameter : unit.parameters()) {
    if (has_buffer(*parameter, buffer)) visit(*parameter, logical_of(*parameter, whole, tensor));
  }
}

void set_from_logical(const Parameter& parameter, const std::string& buffer,
                      const at::Tensor& logical) {
  const auto span = parameter.span_in_shard();
  if (span.count == 0) return;
  const at::Tensor local = parameter.spec().local_part(logical).reshape({-1});
  parameter.unit()
      .elements(buffer, parameter.offset() + span.first_element, span.count)
      .copy_(local.narrow(0, span.first_element, span.count));
}

}  // namespace lmtrain

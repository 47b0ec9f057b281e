#include "trainer/planning/optimizer_state.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "trainer/step/optimizers.h"
#include "trainer/step/whole_tensors.h"

namespace lmtrain {

// Directions, changes and messages of a group, of which a shard is a part; and the owner's work on
// a tensor: the matrix, its products and the next one.
int64_t StateSize::work(int64_t data_ranks, bool is_sharded) const {
  constexpr int64_t kCopiesOfGroup = 3;
  constexpr int64_t kCopiesOfShard = 5;
  constexpr int64_t kCopiesOfTensor = 5;
  return (is_sharded ? kCopiesOfShard * group / data_ranks : kCopiesOfGroup * group) +
         kCopiesOfTensor * largest_tensor;
}

StateSize state_size(const OptimizerConfig& optimizer, const ParameterStore& declared,
                     int64_t num_ranks) {
  const std::unique_ptr<Optimizer> keeps = make_optimizer(optimizer);
  StateSize size;
  for (const Parameter* parameter : declared.parameters()) {
    const ParameterSpec& spec = parameter->spec();
    if (spec.is_frozen) continue;
    const auto buffers = static_cast<int64_t>(keeps->state_of(spec).size());
    size.on_rank += buffers * parameter->numel();
    size.stored += buffers * c10::multiply_integers(spec.logical_shape);
  }
  for (const auto& group : groups_of_whole_tensors(declared, *keeps, num_ranks)) {
    const std::vector<int> owners = owners_of(group, *keeps, static_cast<int>(num_ranks));
    std::vector<double> flops(static_cast<size_t>(num_ranks));
    int64_t numel = 0;
    for (size_t i = 0; i < group.size(); ++i) {
      const ParameterSpec& spec = group[i]->spec();
      numel += group[i]->numel();
      size.largest_tensor =
          std::max(size.largest_tensor, c10::multiply_integers(spec.logical_shape));
      flops[static_cast<size_t>(owners[i])] += keeps->matrix_flops(spec);
    }
    size.group = std::max(size.group, numel);
    size.all_groups += numel;
    size.owner_flops += std::ranges::max(flops);
  }
  return size;
}

}  // namespace lmtrain

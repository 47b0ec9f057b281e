// Updates that need whole matrices where layouts cut them: each tensor has an owner, a rank that
// the others send their parts to and that sends back what each is to change.
#pragma once

#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "parallel/mesh.h"
#include "parallel/parameter_store.h"
#include "trainer/step/optimizer.h"

namespace lmtrain {

struct OwnedTensor {
  const Parameter* parameter = nullptr;
  int data_rank = 0;  // the owner's places on the axes
  int tensor_rank = 0;
};
using OwnedTensors = std::vector<OwnedTensor>;

// The parameters that the optimizer updates by whole matrices, in groups that are exchanged at
// once: of as few units as give each rank of the mesh two tensors, which bounds memory.
std::vector<std::vector<const Parameter*>> groups_of_whole_tensors(const ParameterStore& store,
                                                                   const Optimizer& optimizer,
                                                                   int64_t num_ranks);

// The rank of [0, num_ranks) that owns each tensor of a group, so that ranks share its FLOPs.
std::vector<int> owners_of(const std::vector<const Parameter*>& group, const Optimizer& optimizer,
                           int num_ranks);

// The groups with an owner for each tensor, the same on all ranks.
std::vector<OwnedTensors> owned_tensors(const ParameterStore& store, const Optimizer& optimizer,
                                        Mesh& mesh);

// What the owner computes of a whole logical tensor; returns one of that shape and type.
using WholeTensorWork =
    std::function<at::Tensor(const ParameterSpec& spec, const at::Tensor& logical)>;

// Collective over the mesh. `parts` and the result have, for each tensor of the group, this rank's
// elements as elements_of() has them: of the work's arguments and of its results.
std::vector<at::Tensor> on_owners(const OwnedTensors& group, const std::vector<at::Tensor>& parts,
                                  const ParameterStore& store, Mesh& mesh,
                                  const WholeTensorWork& work);

}  // namespace lmtrain

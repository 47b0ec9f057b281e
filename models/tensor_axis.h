// How the tensor axis cuts a model (Shoeybi et al., "Megatron-LM", 2019), and with it the tokens
// (sequence parallelism; Korthikanti et al., "Reducing Activation Recomputation", 2022).
//
// The residual stream is [samples * positions, hidden], one row per token. Where the axis cuts
// rows, a rank has an equal contiguous part of them between the layers that are cut. The rows are
// gathered before a column layer, and summed and scattered after a row layer.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "parallel/communicator.h"
#include "parallel/mesh_axis.h"
#include "parallel/recompute.h"

namespace lmtrain {

struct TensorAxis {
  // NOLINTNEXTLINE(google-explicit-constructor): a group is an axis that cuts no rows
  TensorAxis(Communicator& g, bool sequence = false)
      : group(&g), cuts_rows(sequence && g.size() > 1) {}

  Communicator* group;
  bool cuts_rows;

  int size() const { return group->size(); }
  // The gradient axes of a parameter that is whole on every rank but sees only the rank's own rows:
  // each rank along these axes holds a part of its gradient.
  std::vector<MeshAxis> axes_of_row_gradients() const {
    if (cuts_rows) return {MeshAxis::kData, MeshAxis::kTensor};
    return {MeshAxis::kData};
  }
};

// Without gradients: gather_rows returns the rows of all ranks, [n, ..] -> [size * n, ..], and
// own_rows returns this rank's part of `rows`. Both return `rows` itself where the axis cuts no
// rows.
at::Tensor gather_rows(const at::Tensor& rows, const TensorAxis& axis);
at::Tensor own_rows(const at::Tensor& rows, const TensorAxis& axis);
// Returns the sum over the ranks of all rows, or this rank's part of that sum where the axis cuts
// rows. It overwrites `rows`.
at::Tensor sum_rows(at::Tensor rows, const TensorAxis& axis);

// gather_rows with a gradient, for layers that every rank then computes alike: backward takes this
// rank's part.
at::Tensor gathered_for_all(const at::Tensor& rows, const TensorAxis& axis);

struct ModelLayout {
  // NOLINTNEXTLINE(google-explicit-constructor)
  ModelLayout(Communicator& group, bool sequence = false, Recompute r = Recompute::kNone)
      : tensor(group, sequence), recompute(r) {}

  TensorAxis tensor;
  Recompute recompute;
};

}  // namespace lmtrain

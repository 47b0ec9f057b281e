// How a model is cut over the tensor axis (Shoeybi et al., "Megatron-LM", 2019), and tokens with it
// (sequence parallelism; Korthikanti et al., "Reducing Activation Recomputation", 2022).
//
// The residual stream is rows [samples * positions, hidden], a token each. Where rows are cut, a
// rank has an equal contiguous part of them between the layers that are cut: they are gathered in
// front of a column layer, summed and scattered behind a row layer.
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
  // Ranks along these hold parts of the gradient of what is whole on every rank but sees its own
  // rows alone.
  std::vector<MeshAxis> axes_of_row_gradients() const {
    if (cuts_rows) return {MeshAxis::kData, MeshAxis::kTensor};
    return {MeshAxis::kData};
  }
};

// Rows of all ranks, [n, ..] -> [size * n, ..], and this rank's part of them; `rows` itself where
// none are cut. Without gradients.
at::Tensor gather_rows(const at::Tensor& rows, const TensorAxis& axis);
at::Tensor own_rows(const at::Tensor& rows, const TensorAxis& axis);
// Sums over the ranks: of all rows, or of this rank's part of them where rows are cut. `rows` is
// written to.
at::Tensor sum_rows(at::Tensor rows, const TensorAxis& axis);

// gather_rows for layers that every rank then computes alike: backward takes this rank's part.
at::Tensor gathered_for_all(const at::Tensor& rows, const TensorAxis& axis);

struct ModelLayout {
  // NOLINTNEXTLINE(google-explicit-constructor)
  ModelLayout(Communicator& group, bool sequence = false, Recompute r = Recompute::kNone)
      : tensor(group, sequence), recompute(r) {}

  TensorAxis tensor;
  Recompute recompute;
};

}  // namespace lmtrain

// What a parameter is, and which part of it a rank of the tensor axis has.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "parallel/mesh_axis.h"

namespace lmtrain {

enum class Init { kNormal, kZeros, kOnes };

// How often forward multiplies by a matrix: for each token, for each token that the language head
// predicts, or for each text. The FLOPs of a model are counted by it.
enum class Multiplied { kNever, kPerToken, kPerTarget, kPerText };

// A matrix within a logical tensor: `count` places of `dim`, from `begin` on. The last dim of the
// tensor is its columns, all others together are its rows.
struct MatrixSlice {
  int dim = 0;
  int64_t begin = 0;
  int64_t count = 0;
};

struct ParameterSpec {
  std::string name;                    // stable: checkpoints store the tensor under it
  std::vector<int64_t> logical_shape;  // whatever the layout
  std::vector<int64_t>
      padded_shape;     // dim 0 may have more rows than the logical shape; they stay zero
  int shard_dim = -1;   // the dim cut over the tensor axis; -1: every rank has the whole
  int shard_index = 0;  // which part this rank has
  int num_shards = 1;
  std::vector<MeshAxis> gradient_axes = {
      MeshAxis::kData};  // ranks along these hold parts of the gradient's sum
  bool weight_decay = true;
  // The hidden matrices that the tensor consists of, such as query, key and value: what optimizers
  // of whole matrices update one by one. None in embeddings, heads, norms and biases.
  std::vector<MatrixSlice> matrices;
  int uses_per_micro_batch = 1;  // backward reports so many times
  Multiplied multiplied = Multiplied::kNever;
  Init init = Init::kNormal;
  double init_std = 0.02;

  bool is_cut() const { return num_shards > 1; }
  // The shape of this rank's part, and its elements.
  std::vector<int64_t> local_shape() const;
  int64_t local_numel() const;
  // Rows of this rank's part that are not padding.
  int64_t num_real_rows() const;
  // This rank's part of a logical tensor, with its padding.
  at::Tensor local_part(const at::Tensor& logical) const;
  // The logical tensor from the parts of all ranks, in order.
  at::Tensor logical_from(const std::vector<at::Tensor>& parts) const;
};

// Draws elements begin .. begin + out.numel() of this rank's part, flattened, of a normal tensor:
// element i of the logical tensor is number i of the stream that seed and name give. Padding is
// zero.
void draw_normal(const ParameterSpec& spec, uint64_t seed, int64_t begin, at::Tensor& out);

}  // namespace lmtrain

// What a parameter is, and which part of it a rank of the tensor axis holds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "parallel/mesh_axis.h"

namespace lmtrain {

enum class Init { kNormal, kZeros, kOnes };

// How often forward multiplies by a matrix: for each token, for each token that the language head
// predicts, or for each text. The FLOPs of a model are counted from this.
enum class Multiplied { kNever, kPerToken, kPerTarget, kPerText };

// A matrix within a logical tensor: `count` places of `dim`, from `begin` on. The last dim of the
// tensor is the matrix's columns; all other dims together are its rows.
struct MatrixSlice {
  int dim = 0;
  int64_t begin = 0;
  int64_t count = 0;
};

struct ParameterSpec {
  std::string name;                    // stable: checkpoints store the tensor under it
  std::vector<int64_t> logical_shape;  // the same in every layout
  // Dim 0 may have more rows than the logical shape; they stay zero.
  std::vector<int64_t> padded_shape;
  int shard_dim = -1;   // the dim cut over the tensor axis; -1: every rank has the whole
  int shard_index = 0;  // the part that this rank holds
  int num_shards = 1;
  // Each rank along these axes holds a part of the gradient's sum.
  std::vector<MeshAxis> gradient_axes = {MeshAxis::kData};
  bool weight_decay = true;
  // The hidden matrices of which the tensor consists, such as query, key and value. Optimizers of
  // whole matrices update them one by one. Embeddings, heads, norms and biases have none.
  std::vector<MatrixSlice> matrices;
  int uses_per_micro_batch = 1;  // how many times backward reports
  // Backward computes no gradient of it, and there is no master weight and no optimizer state.
  bool is_frozen = false;
  double rate = 1.0;  // its share of the learning rate
  Multiplied multiplied = Multiplied::kNever;
  Init init = Init::kNormal;
  double init_std = 0.02;

  bool is_cut() const { return num_shards > 1; }
  // The shape of this rank's part, and its number of elements.
  std::vector<int64_t> local_shape() const;
  int64_t local_numel() const;
  // The number of rows of this rank's part that are not padding.
  int64_t num_real_rows() const;
  // Returns this rank's part of a logical tensor, with its padding.
  at::Tensor local_part(const at::Tensor& logical) const;
  // Returns the logical tensor, made from the parts of all ranks in order.
  at::Tensor logical_from(const std::vector<at::Tensor>& parts) const;
};

// Draws elements begin .. begin + out.numel() of this rank's part, flattened, of a normal tensor.
// Element i of the logical tensor is number i of the stream that seed and name give; padding is
// zero.
void draw_normal(const ParameterSpec& spec, uint64_t seed, int64_t begin, at::Tensor& out);

}  // namespace lmtrain

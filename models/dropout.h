// Dropout whose every element is a function of (seed, site, step, global sample, query position, feature or head and
// key position): the same elements fall whatever the ranks, micro-batches, threads and padding.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace lmtrain {

// Where and when dropout happens in a micro-batch. probability 0 (evaluation) leaves tensors alone.
struct DropoutContext {
  double probability = 0.0;
  uint64_t seed = 0;
  int64_t step = 0;
  std::vector<int64_t> samples;  // global index of each sample of the micro-batch
};

// x: [samples, positions, features]; `site` numbers the place in the model.
at::Tensor dropout(const at::Tensor& x, const DropoutContext& context, int64_t site);

// Attention probabilities [samples, heads, queries, keys]; head h of the tensor is head first_head + h of the model.
at::Tensor attention_dropout(const at::Tensor& probabilities, const DropoutContext& context, int64_t site,
                             int64_t first_head);

}  // namespace lmtrain

// Dropout whose every element is a function of (seed, site, step, global sample, query position,
// feature or head and key position): the same elements fall whatever the ranks, micro-batches,
// threads and padding.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "base/philox.h"

namespace lmtrain {

// Where and when dropout happens in a micro-batch. probability 0 (evaluation) leaves tensors alone.
struct DropoutContext {
  double probability = 0.0;
  uint64_t seed = 0;
  int64_t step = 0;
  std::vector<int64_t> samples;  // global index of each sample of the micro-batch
  // Rows [n, features] are those from first_row on of the samples' rows, `positions` each.
  int64_t positions = 0;
  int64_t first_row = 0;
};

// One place of the model: head h of its tensors is head first_head + h of the model.
struct DropoutSite {
  DropoutContext context;
  int64_t number = 0;
  int64_t first_head = 0;
};

// The key of a site's random numbers, before the sample's upper half goes into it.
PhiloxKey dropout_key(const DropoutSite& site);

// The factors of one site, 0 or the scale, a row at a time.
class DropoutRows {
 public:
  explicit DropoutRows(const DropoutSite& site);

  // Factors of features (or keys) 0 .. count-1 of a row (or query) as bits: uint16_t of bf16,
  // uint32_t of float, uint64_t of double. `sample` and `head` count within the tensor.
  template <class Bits>
  void fill(int64_t sample, int64_t head, int64_t row, int64_t count, Bits* factors) const;

 private:
  const DropoutSite& site_;
  DropoutRate rate_;
  PhiloxKey key_;
};

// x: [samples, positions, features] or rows [n, features]; `site` numbers the place in the model.
at::Tensor dropout(const at::Tensor& x, const DropoutContext& context, int64_t site);

// Attention probabilities [samples, heads, queries, keys].
at::Tensor attention_dropout(const at::Tensor& probabilities, const DropoutSite& site);

}  // namespace lmtrain

// Dropout in which each element is a function of (seed, site, step, global sample, query position,
// feature or head and key position). The same elements are dropped whatever the ranks,
// micro-batches, threads and padding.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "base/philox.h"

namespace lmtrain {

// Where and when dropout happens in a micro-batch. Probability 0 (evaluation) leaves tensors
// unchanged.
struct DropoutContext {
  double probability = 0.0;
  uint64_t seed = 0;
  int64_t step = 0;
  std::vector<int64_t> samples;  // global index of each sample of the micro-batch
  // Tensors of rows [n, features] hold the samples' rows from first_row on; a sample has
  // `positions` rows.
  int64_t positions = 0;
  int64_t first_row = 0;
};

// One place in the model where dropout happens. Head h of the tensors there is head first_head + h
// of the model.
struct DropoutSite {
  DropoutContext context;
  int64_t number = 0;
  int64_t first_head = 0;
};

// Returns the key of a site's random numbers, before the upper half of the sample's index goes into
// it.
PhiloxKey dropout_key(const DropoutSite& site);

// Draws the factors of one site, each 0 or the scale, a row at a time.
class DropoutRows {
 public:
  explicit DropoutRows(const DropoutSite& site);

  // Writes the factors of features (or keys) 0 .. count-1 of a row (or query) as bits: uint16_t of
  // bf16, uint32_t of float, uint64_t of double. `sample` and `head` count within the tensor.
  template <class Bits>
  void fill(int64_t sample, int64_t head, int64_t row, int64_t count, Bits* factors) const;

 private:
  const DropoutSite& site_;
  DropoutRate rate_;
  PhiloxKey key_;
};

// Applies dropout. x: [samples, positions, features] or rows [n, features]; `site` is the number of
// the place in the model.
at::Tensor dropout(const at::Tensor& x, const DropoutContext& context, int64_t site);

// Applies dropout to attention probabilities, [samples, heads, queries, keys].
at::Tensor attention_dropout(const at::Tensor& probabilities, const DropoutSite& site);

}  // namespace lmtrain

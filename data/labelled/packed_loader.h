// Loads instructions with their answers for a decoder: several in a sequence, each a document of
// its own, in which each token's label is the next token of its document.
#pragma once

#include <cstdint>
#include <vector>

#include "data/labelled/example.h"
#include "data/loader.h"

namespace lmtrain {

// Examples of these lengths in sequences of at most `room`: the longest come first, each into the
// fullest sequence that has room for it (best fit decreasing, Johnson, 1974), else into a new one.
// No length exceeds `room`. A function of its arguments alone.
std::vector<std::vector<int64_t>> packed(const std::vector<int64_t>& lengths, int64_t room);

// Writes an example to a row from the place `begin` of the batch's arrays on, as document
// `document`. Labels of tokens that are not learned have weight 0.
void fill_next_tokens(Batch& batch, size_t begin, const Example& example, int32_t document);

class PackedLoader : public Loader {
 public:
  // Samples are sequences of packed examples. `pad` is the id of padding.
  PackedLoader(ExampleFile file, int64_t sequence_length, int64_t pad, SampleOrder order,
               uint64_t seed);

  Batch empty_batch(std::span<const int64_t> indices) const override;
  void fill_row(Batch& batch, size_t row, int64_t index) const override;

 private:
  ExampleFile file_;
  int64_t pad_;
  std::vector<std::vector<int64_t>> packs_;  // the examples of each sample
};

}  // namespace lmtrain

#include "data/blended_loader.h"

#include <utility>

namespace lmtrain {

BlendedLoader::BlendedLoader(std::vector<std::unique_ptr<Loader>> parts,
                             const std::vector<double>& weights)
    : Loader(parts[0]->sequence_length(), SampleOrder::kAsInFile, 0),
      parts_(std::move(parts)),
      blend_(weights) {
  int64_t samples = 0;
  for (const auto& part : parts_) samples += part->num_samples();
  set_num_samples(samples);
}

Batch BlendedLoader::empty_batch(std::span<const int64_t> indices) const {
  return parts_[0]->empty_batch(indices);
}

void BlendedLoader::fill_row(Batch& batch, size_t row, int64_t index) const {
  const Blend::Pick pick = blend_.at(index);
  parts_[pick.source]->fill_row(batch, row, pick.index);
}

}  // namespace lmtrain

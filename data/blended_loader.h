// Training samples of several sources, mixed by their weights (data.sources[].weight).
#pragma once

#include <memory>
#include <vector>

#include "data/blend.h"
#include "data/loader.h"

namespace lmtrain {

// Global index i is sample `blend.at(i).index` of the source that the blend picks. A source whose
// samples are used up starts again in another order.
class BlendedLoader : public Loader {
 public:
  // Takes one loader and one weight per source. All loaders have the same sequence length.
  BlendedLoader(std::vector<std::unique_ptr<Loader>> parts, const std::vector<double>& weights);

  Batch empty_batch(std::span<const int64_t> indices) const override;
  void fill_row(Batch& batch, size_t row, int64_t index) const override;

 private:
  std::vector<std::unique_ptr<Loader>> parts_;
  Blend blend_;
};

}  // namespace lmtrain

// Training samples of several sources, each with its share (data.sources' weight).
#pragma once

#include <memory>
#include <vector>

#include "data/blend.h"
#include "data/loader.h"

namespace lmtrain {

// Global index i is sample `blend.at(i).index` of the source that the blend picks; a source begins
// anew, in another order, when it is through.
class BlendedLoader : public Loader {
 public:
  // One loader and weight a source, all of one sequence length.
  BlendedLoader(std::vector<std::unique_ptr<Loader>> parts, const std::vector<double>& weights);

  Batch empty_batch(int64_t num_samples) const override;
  void fill_row(Batch& batch, size_t row, int64_t index) const override;

 private:
  std::vector<std::unique_ptr<Loader>> parts_;
  Blend blend_;
};

}  // namespace lmtrain

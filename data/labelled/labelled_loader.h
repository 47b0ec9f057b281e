// Loads samples of labelled texts. A batch is as wide as its longest sample.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "data/labelled/example.h"
#include "data/labelled/labelled_config.h"
#include "data/loader.h"

namespace lmtrain {

struct LabelledRule {
  TrainingTask task = TrainingTask::kClassification;
  int64_t sequence_length = 0;  // no sample is longer
  int64_t pad = 0;              // the id of padding
  int64_t num_segments = 0;     // kinds of segment that the model tells apart
  int64_t width_multiple = 1;   // widths are multiples of it, but at most sequence_length
  // The samples of a step, which are of about the same length; 0 leaves the order to chance.
  int64_t group = 0;
  std::vector<double> class_weights;  // by label; empty: 1
};

class LabelledLoader : public Loader {
 public:
  LabelledLoader(ExampleFile file, LabelledRule rule, SampleOrder order, uint64_t seed);

  Batch empty_batch(std::span<const int64_t> indices) const override;
  void fill_row(Batch& batch, size_t row, int64_t index) const override;

  const ExampleFile& examples() const { return file_; }

 protected:
  int64_t sample_of(int64_t index) const override;

 private:
  std::shared_ptr<const std::vector<int64_t>> order_of(int64_t epoch) const;
  void fill_labels(Batch& batch, size_t row, const Example& example) const;
  float weight_of(int32_t label) const;

  ExampleFile file_;
  LabelledRule rule_;
  bool is_grouped_;
  mutable std::mutex mutex_;
  mutable std::map<int64_t, std::shared_ptr<const std::vector<int64_t>>> orders_;  // by epoch
};

// The samples of an epoch in the order in which they are trained on, a function of lengths, seed,
// epoch and `group` alone. Windows of some batches of a random order are sorted by length and cut
// into batches of `group`, which come in a random order themselves; what is left comes last.
std::vector<int64_t> order_by_length(const std::vector<int64_t>& lengths, int64_t group,
                                     uint64_t seed, int64_t epoch);

// The weight of each label if rare ones weigh more: all labels over the number of names and the
// labels of that name; 1 for a label that no example has.
std::vector<double> balanced_weights(const ExampleFile& examples, size_t num_labels);

}  // namespace lmtrain

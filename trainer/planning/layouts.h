// Which layouts a config could run in, what each takes and how long a step would last: estimates
// from closed formulas, for `lmtrain layouts` and parallel: auto.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/config/config.h"
#include "trainer/planning/machine_spec.h"
#include "trainer/planning/memory_estimate.h"

namespace lmtrain {

// Rows of the embedding before the data is prepared: the model's, or those of the tokenizer that is
// named or will be trained.
int64_t planned_vocab_size(const Config& config);

struct LayoutPlan {
  ParallelConfig parallel;
  int64_t data = 1;
  MemoryEstimate memory;
  bool fits = false;
  // Bytes that a rank sends in a step over each axis.
  double data_bytes = 0;
  double tensor_bytes = 0;
  // Of a step: computing, what communication is not hidden behind it, updating.
  double compute_seconds = 0;
  double exposed_seconds = 0;
  double optimizer_seconds = 0;

  double step_seconds() const { return compute_seconds + exposed_seconds + optimizer_seconds; }
};

// All layouts of `num_ranks` whose sizes divide: those that fit first, the fastest first, of equal
// ones that of less memory. `vocab_size`: rows of the embedding.
std::vector<LayoutPlan> plan_layouts(const Config& config, int64_t vocab_size, int64_t num_ranks,
                                     const MachineSpec& machine);

// "data 2 x tensor 2 with sequence parallelism, zero 1, recompute none"
std::string layout_text(const ParallelConfig& parallel, int64_t num_ranks);

// The plans as a table, a line each, `most` of them.
std::string layout_table(const std::vector<LayoutPlan>& plans, size_t most);

// Whether a model's sizes can be cut over so many ranks of the tensor axis: "" or what is in the
// way, with the sizes that would do.
std::string why_not_tensor(const Config& config, int64_t tensor, bool sequence);

}  // namespace lmtrain

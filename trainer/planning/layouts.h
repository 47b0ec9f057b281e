// Estimates for each layout that a config could run in: memory, bytes sent, and the time of a step.
// `lmtrain layouts` lists them; `parallel: auto` takes the first.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/config/config.h"
#include "trainer/planning/machine_spec.h"
#include "trainer/planning/memory_estimate.h"

namespace lmtrain {

// Rows of the embedding, estimated before the data is prepared: model.vocab_size, or the entries of
// the tokenizer that is named or will be trained, whichever is larger.
int64_t planned_vocab_size(const Config& config);

struct LayoutPlan {
  ParallelConfig parallel;
  int64_t data = 1;
  MemoryEstimate memory;
  bool fits = false;
  // Bytes that a rank sends in a step over each axis.
  double data_bytes = 0;
  double tensor_bytes = 0;
  // Parts of a step: computing, communication that computing does not hide, the optimizer.
  double compute_seconds = 0;
  double exposed_seconds = 0;
  double optimizer_seconds = 0;

  double step_seconds() const { return compute_seconds + exposed_seconds + optimizer_seconds; }
};

// All layouts of `num_ranks` in which the sizes divide. Layouts that fit into memory come first,
// and among them the fastest; of two equally fast ones, the one that needs less memory.
// `vocab_size` counts the rows of the embedding.
std::vector<LayoutPlan> plan_layouts(const Config& config, int64_t vocab_size, int64_t num_ranks,
                                     const MachineSpec& machine);

// "data 2 x tensor 2 with sequence parallelism, zero 1, recompute none"
std::string layout_text(const ParallelConfig& parallel, int64_t num_ranks);

// A table with a line for each of the first `most` plans.
std::string layout_table(const std::vector<LayoutPlan>& plans, size_t most);

// Why a model cannot be cut over so many ranks of the tensor axis, with the sizes that would work;
// "" where it can.
std::string why_not_tensor(const Config& config, int64_t tensor, bool sequence);

}  // namespace lmtrain

// What the layout matrix varies, and which combinations it runs.
#pragma once

#include <string>
#include <vector>

#include "trainer/config/config.h"

namespace lmtrain {

struct Cell {
  std::string model = "gpt2";  // gpt2, gpt2-untied, llama, llama-tied, bert, bert-before
  std::string precision = "fp64";
  int64_t vocab_size = 61;
  bool drops = false;
  int64_t accumulation = 1;
  int ranks = 1;
  int64_t tensor = 1;
  bool sequence = false;
  int64_t zero = 0;
  std::string recompute = "none";
  OptimizerKind optimizer = OptimizerKind::kAdamW;

  // What one rank trains to compare with.
  std::string subject() const;
  std::string layout() const;
  Config config() const;
  // Three micro-batches of one sample on as many ranks as meet this vocabulary.
  int64_t global_batch() const { return vocab_size > 1000 ? 12 : 24; }
};

inline constexpr int64_t kPositions = 8;

// Every two values of different settings meet in some cell, on at most `most_ranks`.
std::vector<Cell> pairwise_cells(int most_ranks);
// All layouts of all models in fp64, of the three kinds in the other precisions, on eight ranks and
// with Muon.
std::vector<Cell> all_cells(int most_ranks);

}  // namespace lmtrain

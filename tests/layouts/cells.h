// The settings that the layout matrix varies, and the combinations that it runs.
#pragma once

#include <string>
#include <vector>

#include "trainer/config/config.h"

namespace lmtrain {

struct Cell {
  // gpt2, gpt2-untied, llama, llama-tied, bert, bert-before, qwen2 or mistral; and with heads of
  // labels bert-texts, bert-answers, llama-numbers and gpt2-words; gpt2-frozen and llama-lora train
  // a part.
  std::string model = "gpt2";
  Precision precision = Precision::kFp64;
  int64_t vocab_size = 61;
  bool drops = false;
  int64_t accumulation = 1;
  int ranks = 1;
  int64_t tensor = 1;
  bool sequence = false;
  int64_t zero = 0;
  Recompute recompute = Recompute::kNone;
  OptimizerKind optimizer = OptimizerKind::kAdamW;

  // Returns the name of the training that one rank runs for comparison.
  std::string subject() const;
  std::string layout() const;
  Config config() const;
  // Three micro-batches of one sample each, on the most ranks that this vocabulary is run on.
  int64_t global_batch() const { return vocab_size > 1000 ? 12 : 24; }
};

inline constexpr int64_t kPositions = 8;

// Returns cells on at most `most_ranks` ranks in which every two values of different settings occur
// together, but for the optimizer: those beside AdamW have cells of their own in fp64.
std::vector<Cell> pairwise_cells(int most_ranks);
// Returns all layouts of all models in fp64 on up to four ranks. Models without "-" in their name
// also run in the other precisions, without recomputation, on eight ranks in fp64, without
// selective recomputation, and with the other optimizers.
std::vector<Cell> all_cells(int most_ranks);

}  // namespace lmtrain

#include "tests/layouts/cells.h"

#include <array>
#include <functional>
#include <set>

#include "base/text.h"

namespace lmtrain {
namespace {

// One value of each setting.
using Combination = std::array<size_t, 10>;

struct Cut {
  int64_t tensor;
  bool sequence;
};

const std::vector<std::string> kModels = {"gpt2",       "gpt2-untied", "llama",
                                          "llama-tied", "bert",        "bert-before"};
const std::vector<std::string> kPrecisions = {"fp64", "fp32", "bf16"};
const std::vector<int64_t> kVocabularies = {61, 50257};
const std::vector<int> kRanks = {1, 2, 4, 8};
const std::vector<Cut> kCuts = {{1, false}, {2, false}, {2, true}, {4, false}, {4, true}};
const std::vector<std::string> kRecomputes = {"none", "selective", "full"};
const std::vector<OptimizerKind> kOptimizers = {OptimizerKind::kAdamW, OptimizerKind::kMuon};

constexpr std::array<size_t, 10> kSizes = {6, 3, 2, 2, 2, 4, 5, 4, 3, 2};

Cell cell_of(const Combination& c) {
  Cell cell;
  cell.model = kModels[c[0]];
  cell.precision = kPrecisions[c[1]];
  cell.vocab_size = kVocabularies[c[2]];
  cell.drops = c[3] == 1;
  cell.accumulation = c[4] == 0 ? 1 : 3;
  cell.ranks = kRanks[c[5]];
  cell.tensor = kCuts[c[6]].tensor;
  cell.sequence = kCuts[c[6]].sequence;
  cell.zero = static_cast<int64_t>(c[7]);
  cell.recompute = kRecomputes[c[8]];
  cell.optimizer = kOptimizers[c[9]];
  return cell;
}

bool is_possible(const Cell& cell, int most_ranks) {
  return cell.ranks <= most_ranks && cell.ranks % cell.tensor == 0;
}

// Settings that the first `count` have been chosen of.
void for_each_combination(Combination& combination, size_t count,
                          const std::function<void(const Combination&)>& visit) {
  if (count == combination.size()) return visit(combination);
  for (combination[count] = 0; combination[count] < kSizes[count]; ++combination[count])
    for_each_combination(combination, count + 1, visit);
}

using Pair = std::array<size_t, 4>;  // two settings with a value each

std::vector<Pair> pairs_of(const Combination& combination) {
  std::vector<Pair> pairs;
  for (size_t a = 0; a < combination.size(); ++a) {
    for (size_t b = a + 1; b < combination.size(); ++b)
      pairs.push_back({a, combination[a], b, combination[b]});
  }
  return pairs;
}

}  // namespace

std::string Cell::subject() const {
  return cat(model, " ", precision, " V=", vocab_size, drops ? " dropout" : "",
             accumulation == 1 ? "" : " 3 micro-batches",
             optimizer == OptimizerKind::kMuon ? " muon" : "");
}

std::string Cell::layout() const {
  return cat(ranks / tensor, "x", tensor, sequence ? "s" : "", " zero ", zero, " ", recompute);
}

Config Cell::config() const {
  Config c;
  c.run.seed = 3;
  ModelConfig& m = c.model;
  m.kind = model.substr(0, model.find('-'));
  m.num_layers = 2;
  m.num_heads = 8;
  m.hidden_size = 32;
  m.max_positions = kPositions;
  m.vocab_size = vocab_size;
  m.dropout = drops ? 0.1 : 0.0;
  if (m.is_llama()) {
    m.num_kv_heads = 4;
    m.qk_norm = true;
    m.feed_forward_size = 48;
    m.embeddings = model == "llama-tied" ? "tied" : "auto";
  } else if (m.is_bert()) {
    m.head = "pretraining";
    m.norm_position = model == "bert-before" ? "before" : "auto";
  } else {
    m.embeddings = model == "gpt2-untied" ? "untied" : "auto";
  }
  c.data.sequence_length = kPositions;
  c.data.isolate_documents = !m.is_bert() && drops;
  c.train.steps = 50;
  c.train.precision = precision;
  c.train.global_batch_size = global_batch();
  c.train.micro_batch_size = global_batch() / (ranks / tensor) / accumulation;
  c.train.clip_grad_norm = precision == "fp64" ? 0.3 : 1.0;  // where the norm must be right
  c.train.z_loss = m.is_llama() ? 1e-4 : 0.0;
  c.optimizer.kind = optimizer;
  c.optimizer.lr = 1e-3;
  c.optimizer.muon.lr = 2e-3;
  c.schedule.warmup_steps = 5;
  c.parallel.tensor = tensor;
  c.parallel.sequence = sequence;
  c.parallel.zero = zero;
  c.parallel.recompute = recompute;
  c.parallel.bucket_mib = 0.01;  // several buckets a unit
  return c;
}

std::vector<Cell> pairwise_cells(int most_ranks) {
  // Greedy: the combination that has the most pairs that no other has had (Cohen et al., "AETG", 1997).
  std::vector<Combination> possible;
  std::set<Pair> missing;
  Combination first{};
  for_each_combination(first, 0, [&](const Combination& combination) {
    if (!is_possible(cell_of(combination), most_ranks)) return;
    possible.push_back(combination);
    for (const Pair& pair : pairs_of(combination)) missing.insert(pair);
  });
  std::vector<Cell> cells;
  while (!missing.empty()) {
    const Combination* best = nullptr;
    size_t most = 0;
    // A stride of its own each time, so that ties do not always go to the first values.
    for (size_t i = 0; i < possible.size(); ++i) {
      const Combination& combination =
          possible[(i * 7919 + cells.size() * 104729) % possible.size()];
      size_t gain = 0;
      for (const Pair& pair : pairs_of(combination)) gain += missing.count(pair);
      if (gain > most) {
        most = gain;
        best = &combination;
      }
    }
    for (const Pair& pair : pairs_of(*best)) missing.erase(pair);
    cells.push_back(cell_of(*best));
  }
  return cells;
}

std::vector<Cell> all_cells(int most_ranks) {
  std::vector<Cell> cells;
  Combination first{};
  for_each_combination(first, 0, [&](const Combination& combination) {
    const Cell cell = cell_of(combination);
    if (!is_possible(cell, most_ranks)) return;
    if (cell.zero > 0 && cell.ranks == cell.tensor) return;  // nothing to shard over
    // The quick set meets the other cases.
    if (cell.vocab_size != 61 || cell.accumulation != 3 || !cell.drops) return;
    // Eight ranks take long on few cores: the three kinds there, and less of recomputation.
    const bool is_base = cell.model.find('-') == std::string::npos;
    const bool in_double = cell.precision == "fp64";
    if (cell.optimizer == OptimizerKind::kMuon && (!is_base || cell.recompute != "none")) return;
    const bool runs = cell.ranks > 4 ? is_base && in_double && cell.recompute != "selective"
                                     : in_double || (is_base && cell.recompute == "none");
    if (runs) cells.push_back(cell);
  });
  return cells;
}

}  // namespace lmtrain

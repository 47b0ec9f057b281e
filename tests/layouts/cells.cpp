#include "tests/layouts/cells.h"

#include <array>
#include <functional>
#include <set>

#include "base/text.h"

namespace lmtrain {
namespace {

// One value of each setting, by its index.
using Combination = std::array<size_t, 10>;

struct Cut {
  int64_t tensor;
  bool sequence;
};

const std::vector<std::string> kModels = {
    "gpt2",          "gpt2-untied", "llama",       "llama-tied", "bert",
    "bert-before",   "qwen2",       "mistral",     "bert-texts", "bert-answers",
    "llama-numbers", "gpt2-words",  "gpt2-frozen", "llama-lora"};
const std::vector<Precision> kPrecisions = {Precision::kFp64, Precision::kFp32, Precision::kBf16};
const std::vector<int64_t> kVocabularies = {61, 50257};
const std::vector<int> kRanks = {1, 2, 4, 8};
const std::vector<Cut> kCuts = {{1, false}, {2, false}, {2, true}, {4, false}, {4, true}};
const std::vector<Recompute> kRecomputes = {Recompute::kNone, Recompute::kSelective,
                                            Recompute::kFull};
constexpr auto kOptimizers = all_values<OptimizerKind>();

const Combination kSizes = {kModels.size(),
                            kPrecisions.size(),
                            kVocabularies.size(),
                            2,
                            2,
                            kRanks.size(),
                            kCuts.size(),
                            4,
                            kRecomputes.size(),
                            kOptimizers.size()};

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

// How long the ranks of a cell compute together, in no unit: the large head takes most of the time.
int64_t cost_of(const Combination& c) {
  return kRanks[c[5]] * (kVocabularies[c[2]] > 1000 ? 4 : 1);
}

// Visits all completions of a combination whose first `count` settings are chosen.
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

// The optimizers beside AdamW in each kind of layout: tensors whole on every rank, cut by shards,
// by columns and rows of the tensor axis, and by both.
std::vector<Cell> optimizer_cells() {
  struct Layout {
    int ranks;
    Cut cut;
    int64_t zero;
  };
  std::vector<Cell> cells;
  for (const OptimizerKind optimizer : kOptimizers) {
    if (optimizer == OptimizerKind::kAdamW) continue;
    for (const std::string model : {"gpt2", "llama", "bert"}) {
      for (const Layout& layout : {Layout{2, {1, false}, 0}, Layout{4, {1, false}, 2},
                                   Layout{2, {2, false}, 0}, Layout{4, {2, true}, 3}}) {
        Cell cell;
        cell.model = model;
        cell.optimizer = optimizer;
        cell.ranks = layout.ranks;
        cell.tensor = layout.cut.tensor;
        cell.sequence = layout.cut.sequence;
        cell.zero = layout.zero;
        cells.push_back(cell);
      }
    }
  }
  return cells;
}

}  // namespace

std::string Cell::subject() const {
  return cat(model, " ", precision, " V=", vocab_size, drops ? " dropout" : "",
             accumulation == 1 ? "" : " 3 micro-batches",
             optimizer == OptimizerKind::kAdamW ? "" : cat(" ", optimizer));
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
  const bool follows_llama = m.kind == "llama" || m.kind == "qwen2" || m.kind == "mistral";
  if (follows_llama) {
    m.num_kv_heads = 4;
    m.qk_norm = m.kind == "llama";
    m.sliding_window = m.kind == "mistral" ? 5 : 0;
    m.feed_forward_size = 48;
    m.embeddings = model == "llama-tied" ? Embeddings::kTied : Embeddings::kAuto;
  } else if (m.kind == "bert") {
    m.head = HeadKind::kPretraining;
    m.norm_position = model == "bert-before" ? NormPosition::kBefore : NormPosition::kAuto;
  } else {
    m.embeddings = model == "gpt2-untied" ? Embeddings::kUntied : Embeddings::kAuto;
  }
  if (model == "bert-texts" || model == "llama-numbers") m.head = HeadKind::kSequenceClassification;
  if (model == "bert-answers") m.head = HeadKind::kQuestionAnswering;
  if (model == "gpt2-words") m.head = HeadKind::kTokenClassification;
  if (model == "bert-texts" || model == "gpt2-words") m.labels = {"a", "b", "c"};
  if (model == "llama-numbers") m.labels = {"value"};
  c.data.sequence_length = kPositions;
  c.data.isolate_documents = m.traits().predicts_next_token() && drops;
  c.train.steps = vocab_size > 1000 ? 20 : 50;  // the large head takes most of the time
  c.train.precision = precision;
  c.train.global_batch_size = global_batch();
  c.train.micro_batch_size = global_batch() / (ranks / tensor) / accumulation;
  // In fp64 gradients are clipped, so that their norm must be right. Those of labels are small.
  const double clipped = m.has_label_head() ? 0.02 : 0.3;
  c.train.clip_grad_norm = precision == Precision::kFp64 ? clipped : 1.0;
  c.train.z_loss = follows_llama && m.has_language_head() ? 1e-4 : 0.0;
  if (model == "gpt2-frozen") {
    // A whole unit below what is trained, and parts of one.
    c.train.freeze = {"embedding.*", "blocks.0.*", "blocks.1.feed_forward.*"};
    c.optimizer.layer_decay = 0.7;
  }
  if (model == "llama-lora") {
    c.model.lora.rank = 4;
    c.model.lora.targets = {"q_proj", "v_proj", "o_proj", "gate_proj", "down_proj"};
  }
  c.optimizer.kind = optimizer;
  c.optimizer.lr = 1e-3;
  c.optimizer.muon.lr = 2e-3;
  c.schedule.warmup_steps = 5;
  c.parallel.tensor = tensor;
  c.parallel.sequence = sequence;
  c.parallel.zero = zero;
  c.parallel.recompute = recompute;
  c.parallel.bucket_mib = 0.01;  // several buckets per unit
  return c;
}

std::vector<Cell> pairwise_cells(int most_ranks) {
  // Each step greedily takes the combination with the most pairs that no other one has covered
  // (AETG; Cohen et al., 1997), of several the cheapest.
  std::vector<Combination> possible;
  std::set<Pair> missing;
  Combination first{};
  for_each_combination(first, 0, [&](const Combination& combination) {
    const Cell cell = cell_of(combination);
    if (!is_possible(cell, most_ranks) || cell.optimizer != OptimizerKind::kAdamW) return;
    possible.push_back(combination);
    for (const Pair& pair : pairs_of(combination)) missing.insert(pair);
  });
  std::vector<Cell> cells;
  while (!missing.empty()) {
    const Combination* best = nullptr;
    size_t most = 0;
    int64_t least = 0;  // of those with `most`, what the cheapest costs
    // Each step has its own starting place, so that ties do not always go to the first values.
    for (size_t i = 0; i < possible.size(); ++i) {
      const Combination& combination =
          possible[(i * 7919 + cells.size() * 104729) % possible.size()];
      size_t gain = 0;
      for (const Pair& pair : pairs_of(combination)) gain += missing.count(pair);
      const int64_t cost = cost_of(combination);
      if (gain < most || (gain == most && cost >= least)) continue;
      most = gain;
      least = cost;
      best = &combination;
    }
    for (const Pair& pair : pairs_of(*best)) missing.erase(pair);
    cells.push_back(cell_of(*best));
  }
  for (const Cell& cell : optimizer_cells()) {
    if (is_possible(cell, most_ranks)) cells.push_back(cell);
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
    // The quick set covers the other cases.
    if (cell.vocab_size != 61 || cell.accumulation != 3 || !cell.drops) return;
    // Eight ranks take long on few cores, so they run less; all_cells' declaration says what.
    const bool is_base = cell.model.find('-') == std::string::npos;
    const bool in_double = cell.precision == Precision::kFp64;
    if (cell.optimizer != OptimizerKind::kAdamW && (!is_base || cell.recompute != Recompute::kNone))
      return;
    const bool runs = cell.ranks > 4
                          ? is_base && in_double && cell.recompute != Recompute::kSelective
                          : in_double || (is_base && cell.recompute == Recompute::kNone);
    if (runs) cells.push_back(cell);
  });
  return cells;
}

}  // namespace lmtrain

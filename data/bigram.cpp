#include "data/bigram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lmtrain {
namespace {

constexpr double kSmallestUniformWeight = 1e-6;
constexpr int kMaxSteps = 100;
constexpr double kSmallestGain = 1e-7;  // nats per pair, below which the weights have settled

// Chooses the pairs of a file that are held out: the last of every `stride` blocks.
class Heldout {
 public:
  explicit Heldout(int64_t num_pairs)
      : block_(std::clamp<int64_t>(num_pairs / 100, 1, 1000)),
        stride_(std::max<int64_t>(10, num_pairs / block_ / 1000)) {}

  bool contains(int64_t pair) const { return pair / block_ % stride_ == stride_ - 1; }

 private:
  int64_t block_;
  int64_t stride_;
};

// Calls visit(index, previous, next) for every pair of neighbours in the file.
template <class Visit>
void for_each_pair(const TokenFile& file, const std::function<void()>& pause, Visit visit) {
  constexpr int64_t kPiece = 1 << 16;
  std::vector<int32_t> tokens;
  for (int64_t first = 0; first + 1 < file.num_tokens(); first += kPiece) {
    if (pause) pause();
    tokens.resize(static_cast<size_t>(std::min(kPiece + 1, file.num_tokens() - first)));
    file.read(first, tokens);
    for (size_t i = 0; i + 1 < tokens.size(); ++i) {
      visit(first + static_cast<int64_t>(i), tokens[i], tokens[i + 1]);
    }
  }
}

// One kind of held-out pair: its three estimates and how often it occurs.
struct HeldoutPair {
  double bigram;
  double unigram;
  double uniform;
  double count;
};

// Does one step of expectation maximisation. Returns the mean nats per pair under the old weights.
double improve(BigramWeights& weights, const std::vector<HeldoutPair>& pairs) {
  double nats = 0.0;
  double total = 0.0;
  BigramWeights share = {0.0, 0.0, 0.0};
  for (const HeldoutPair& pair : pairs) {
    const double bigram = weights.bigram * pair.bigram;
    const double unigram = weights.unigram * pair.unigram;
    const double uniform = weights.uniform * pair.uniform;
    const double sum = bigram + unigram + uniform;
    nats -= pair.count * std::log(sum);
    total += pair.count;
    share.bigram += pair.count * bigram / sum;
    share.unigram += pair.count * unigram / sum;
    share.uniform += pair.count * uniform / sum;
  }
  weights = {share.bigram / total, share.unigram / total, share.uniform / total};
  return nats / total;
}

BigramWeights with_smallest_uniform(const BigramWeights& weights) {
  if (weights.uniform >= kSmallestUniformWeight) return weights;
  const double rest = (1.0 - kSmallestUniformWeight) / (weights.bigram + weights.unigram);
  return {weights.bigram * rest, weights.unigram * rest, kSmallestUniformWeight};
}

}  // namespace

BigramModel::BigramModel(int64_t vocab_size)
    : num_after_(static_cast<size_t>(vocab_size)), num_next_(static_cast<size_t>(vocab_size)) {}

BigramModel BigramModel::fit(const TokenFile& train, const std::function<void()>& pause) {
  BigramModel model(train.header().vocab_size);
  const Heldout heldout(train.num_tokens() - 1);
  BigramCounts heldout_pairs;
  for_each_pair(train, pause, [&](int64_t index, int32_t previous, int32_t next) {
    heldout.contains(index) ? heldout_pairs.add(previous, next) : model.add(previous, next, 1);
  });
  model.fit_weights(heldout_pairs, pause);
  heldout_pairs.for_each(
      [&](int32_t previous, int32_t next, uint32_t count) { model.add(previous, next, count); });
  return model;
}

void BigramModel::add(int32_t previous, int32_t next, uint32_t count) {
  pairs_.add(previous, next, count);
  num_after_[static_cast<size_t>(previous)] += count;
  num_next_[static_cast<size_t>(next)] += count;
  num_pairs_ += count;
}

// Pairs after an unseen token say nothing about the bigram's weight, so they are left out.
void BigramModel::fit_weights(const BigramCounts& heldout, const std::function<void()>& pause) {
  std::vector<HeldoutPair> pairs;
  heldout.for_each([&](int32_t previous, int32_t next, uint32_t count) {
    const Estimates p = estimates(previous, next);
    if (p.bigram >= 0.0)
      pairs.push_back({p.bigram, p.unigram, p.uniform, static_cast<double>(count)});
  });
  if (pairs.empty()) return;
  for (int step = 0; step < kMaxSteps; ++step) {
    if (pause) pause();
    heldout_nats_.push_back(improve(weights_, pairs));
    if (step > 0 && heldout_nats_[step - 1] - heldout_nats_[step] < kSmallestGain) break;
  }
  weights_ = with_smallest_uniform(weights_);
}

BigramModel::Estimates BigramModel::estimates(int32_t previous, int32_t next) const {
  const int64_t num_after = num_after_[static_cast<size_t>(previous)];
  const double bigram = num_after == 0 ? -1.0
                                       : static_cast<double>(pairs_.count(previous, next)) /
                                             static_cast<double>(num_after);
  const double unigram =
      static_cast<double>(num_next_[static_cast<size_t>(next)]) / static_cast<double>(num_pairs_);
  return {bigram, unigram, 1.0 / static_cast<double>(num_next_.size())};
}

double BigramModel::probability(int32_t previous, int32_t next) const {
  const Estimates p = estimates(previous, next);
  const double rest = weights_.unigram * p.unigram + weights_.uniform * p.uniform;
  if (p.bigram < 0.0) return rest / (weights_.unigram + weights_.uniform);
  return weights_.bigram * p.bigram + rest;
}

BigramScore BigramModel::score(const Loader& loader, std::span<const int64_t> global_sample_indices,
                               const TargetBytes& target_bytes,
                               const std::function<void()>& pause) const {
  constexpr size_t kSamplesAtOnce = 16;
  BigramScore score;
  double nats = 0.0;
  for (size_t begin = 0; begin < global_sample_indices.size(); begin += kSamplesAtOnce) {
    if (pause) pause();
    const size_t count = std::min(kSamplesAtOnce, global_sample_indices.size() - begin);
    const Batch batch = loader.load(global_sample_indices.subspan(begin, count));
    for (size_t i = 0; i < batch.ids.size(); ++i) {
      if (batch.weights[i] == 0.0F) continue;
      nats -= std::log(
          probability(static_cast<int32_t>(batch.ids[i]), static_cast<int32_t>(batch.labels[i])));
      ++score.num_tokens;
    }
    score.num_bytes += target_bytes.of_batch(batch);
  }
  score.nats_per_token = nats / static_cast<double>(score.num_tokens);
  score.bits_per_byte = score.num_bytes == 0
                            ? std::numeric_limits<double>::quiet_NaN()
                            : nats / std::log(2.0) / static_cast<double>(score.num_bytes);
  return score;
}

}  // namespace lmtrain

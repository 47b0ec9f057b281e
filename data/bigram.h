// The baseline that a trained model must beat: an interpolated bigram model of the same tokens
// (Jelinek and Mercer, "Interpolated estimation of Markov source parameters", 1980).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "data/bigram_counts.h"
#include "data/loader.h"
#include "data/target_bytes.h"
#include "data/token_file.h"

namespace lmtrain {

// The weights of the three estimates; they add up to 1.
struct BigramWeights {
  double bigram = 1.0 / 3.0;
  double unigram = 1.0 / 3.0;
  double uniform = 1.0 / 3.0;
};

struct BigramScore {
  double nats_per_token = 0.0;
  double bits_per_byte = 0.0;  // NaN when the labels stand for no byte
  int64_t num_tokens = 0;
  int64_t num_bytes = 0;
};

// p(b|a) = λ2 c(ab)/c(a) + λ1 c(b)/N + λ0/V with counts of neighbouring tokens of the file. Pairs
// may cross documents: the end token counts like any other token. After an `a` that was never seen,
// λ2 is divided between the other two estimates in proportion to their weights. A tenth of the
// pairs is held out (at most about a million, in blocks spread over the file); expectation
// maximisation finds the λ that maximise their likelihood under the counts of all other pairs. The
// final counts are those of all pairs. λ0 is at least 1e-6, so no token has probability zero.
// `pause`, if there is one, is called now and then, and may throw.
class BigramModel {
 public:
  static BigramModel fit(const TokenFile& train, const std::function<void()>& pause = {});

  double probability(int32_t previous, int32_t next) const;
  // Scores exactly the (id, label) pairs that `loader` gives for these indices.
  BigramScore score(const Loader& loader, std::span<const int64_t> global_sample_indices,
                    const TargetBytes& target_bytes, const std::function<void()>& pause = {}) const;

  const BigramWeights& weights() const { return weights_; }
  // Mean nats per held-out pair before each step of expectation maximisation; the values fall.
  // Empty when no pairs were held out; then the three weights stay equal.
  const std::vector<double>& heldout_nats() const { return heldout_nats_; }

 private:
  // The three estimates of p(next | previous).
  struct Estimates {
    double bigram;  // negative: `previous` was never seen
    double unigram;
    double uniform;
  };

  explicit BigramModel(int64_t vocab_size);

  void add(int32_t previous, int32_t next, uint32_t count);
  void fit_weights(const BigramCounts& heldout, const std::function<void()>& pause);
  Estimates estimates(int32_t previous, int32_t next) const;

  BigramCounts pairs_;
  std::vector<int64_t> num_after_;  // [vocab_size]: pairs that begin with the token
  std::vector<int64_t> num_next_;   // [vocab_size]: pairs that end with the token
  int64_t num_pairs_ = 0;
  BigramWeights weights_;
  std::vector<double> heldout_nats_;
};

}  // namespace lmtrain

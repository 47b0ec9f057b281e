// The baseline that a trained model must beat: an interpolated bigram model of the same tokens
// (Jelinek and Mercer, "Interpolated estimation of Markov source parameters", 1980).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/bigram_counts.h"
#include "data/loader.h"
#include "data/target_bytes.h"
#include "data/token_file.h"

namespace lmtrain {

// Shares of the three estimates; they add up to 1.
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

// p(b|a) = λ2 c(ab)/c(a) + λ1 c(b)/N + λ0/V with counts of neighbouring tokens of the file, across
// documents (the end token is a token as others); after an `a` never seen the other two share λ2's
// part in proportion. The λ maximise the likelihood, by expectation maximisation, of a tenth of the
// pairs (at most about a million, in blocks spread over the file) under counts of all others; the
// final counts are those of all pairs. λ0 is at least 1e-6, so no token has probability zero.
class BigramModel {
 public:
  static BigramModel fit(const TokenFile& train);

  double probability(int32_t previous, int32_t next) const;
  // Over exactly the (id, label) pairs that `loader` gives for these indices.
  BigramScore score(const Loader& loader, std::span<const int64_t> global_sample_indices,
                    const TargetBytes& target_bytes) const;

  const BigramWeights& weights() const { return weights_; }
  // Mean nats per held-out pair before each step of the maximisation; falls. Empty when nothing
  // could be held out, which leaves the weights equal.
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
  void fit_weights(const BigramCounts& heldout);
  Estimates estimates(int32_t previous, int32_t next) const;

  BigramCounts pairs_;
  std::vector<int64_t> num_after_;  // [vocab_size]: pairs that begin with the token
  std::vector<int64_t> num_next_;   // [vocab_size]: pairs that end with it
  int64_t num_pairs_ = 0;
  BigramWeights weights_;
  std::vector<double> heldout_nats_;
};

}  // namespace lmtrain

#include "data/bigram.h"

#include <cmath>
#include <map>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "data/next_token_loader.h"
#include "data/token_file_writer.h"
#include "data/tokenizer/bpe_trainer.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

constexpr int64_t kVocabulary = 257;  // the end token 0, then single bytes

// `num_documents` of a source in which each token depends on the one before; 1 to 20 occur.
std::filesystem::path write_source(const TemporaryFolder& folder, const char* name,
                                   int num_documents, uint64_t seed) {
  std::mt19937_64 random(seed);
  TokenFileWriter writer(folder / name, {kVocabulary, -1, 0, 1});
  for (int i = 0; i < num_documents; ++i) {
    std::vector<int32_t> document = {1 + static_cast<int32_t>(random() % 20)};
    while (document.size() < 5 + random() % 50) {
      const int32_t follower = document.back() % 20 + 1;
      document.push_back(random() % 4 == 0 ? 1 + static_cast<int32_t>(random() % 20) : follower);
    }
    writer.add_document(document, static_cast<int64_t>(document.size()));
  }
  writer.commit();
  return folder / name;
}

TargetBytes byte_tokenizer_bytes() {
  const auto no_documents = [](std::string_view&) { return false; };
  return TargetBytes(train_bpe(no_documents, {kVocabulary, 1, int64_t{1} << 30}, [](double) {}));
}

// Counts in a plain map, to compare with.
struct PlainCounts {
  std::map<std::pair<int32_t, int32_t>, double> pair;
  std::map<int32_t, double> after, next;
  double total = 0.0;

  explicit PlainCounts(const TokenFile& file) {
    std::vector<int32_t> tokens(static_cast<size_t>(file.num_tokens()));
    file.read(0, tokens);
    for (size_t i = 0; i + 1 < tokens.size(); ++i) {
      ++pair[{tokens[i], tokens[i + 1]}];
      ++after[tokens[i]];
      ++next[tokens[i + 1]];
      ++total;
    }
  }

  double probability(int32_t a, int32_t b, const BigramWeights& w) {
    const double rest = w.unigram * next[b] / total + w.uniform / kVocabulary;
    if (after[a] == 0.0) return rest / (w.unigram + w.uniform);
    return w.bigram * pair[{a, b}] / after[a] + rest;
  }
};

// Defect: a pair lost or counted twice while the table grows.
TEST(BigramCounts, EqualToAMap) {
  BigramCounts counts;
  std::map<std::pair<int32_t, int32_t>, uint32_t> expected;
  std::mt19937_64 random(1);
  for (int i = 0; i < 200000; ++i) {
    const auto first = static_cast<int32_t>(random() % 300);
    const auto second = static_cast<int32_t>(random() % 300) * 7000000;
    counts.add(first, second);
    ++expected[{first, second}];
  }
  EXPECT_EQ(counts.num_pairs(), static_cast<int64_t>(expected.size()));
  size_t visited = 0;
  counts.for_each([&](int32_t first, int32_t second, uint32_t count) {
    ++visited;
    EXPECT_EQ(count, (expected[{first, second}]));
  });
  EXPECT_EQ(visited, expected.size());
  EXPECT_EQ(counts.count(5, 1), 0U);
}

// Defect: a frequent pair's count wraps to a small one.
TEST(BigramCounts, ACountStopsAtTheLargest) {
  BigramCounts counts;
  counts.add(1, 2, UINT32_MAX - 1);
  counts.add(1, 2, 5);
  EXPECT_EQ(counts.count(1, 2), UINT32_MAX);
}

// Defect: probabilities other than the formula's over all training pairs.
TEST(Bigram, EqualsBruteForce) {
  const TemporaryFolder folder;
  const TokenFile train = TokenFile::open(write_source(folder, "train", 60, 1));
  const BigramModel model = BigramModel::fit(train);
  PlainCounts plain(train);
  for (int32_t a = 0; a < 30; ++a) {
    for (int32_t b = 0; b < 30; ++b) {
      EXPECT_NEAR(model.probability(a, b), plain.probability(a, b, model.weights()), 1e-12);
    }
  }
}

// Defect: the probabilities after a seen or an unseen token do not add up to one, which would make
// the baseline too good.
TEST(Bigram, ProbabilitiesAddUpToOne) {
  const TemporaryFolder folder;
  const BigramModel model = BigramModel::fit(TokenFile::open(write_source(folder, "train", 60, 1)));
  for (const int32_t previous : {0, 1, 20, 21, 256}) {
    double sum = 0.0;
    for (int32_t next = 0; next < kVocabulary; ++next) sum += model.probability(previous, next);
    EXPECT_NEAR(sum, 1.0, 1e-12) << "after " << previous;
  }
}

// Defect: the fit of the weights goes the wrong way, or ends at weights that are not the best.
TEST(Bigram, ExpectationMaximisationImprovesEachStep) {
  const TemporaryFolder folder;
  const BigramModel model =
      BigramModel::fit(TokenFile::open(write_source(folder, "train", 400, 1)));
  const std::vector<double>& nats = model.heldout_nats();
  ASSERT_GT(nats.size(), 3U);
  for (size_t step = 1; step < nats.size(); ++step) EXPECT_LE(nats[step], nats[step - 1]);
  EXPECT_LT(nats.back(), nats.front() - 0.3);
  const BigramWeights& weights = model.weights();
  EXPECT_NEAR(weights.bigram + weights.unigram + weights.uniform, 1.0, 1e-12);
  EXPECT_GT(weights.bigram, 0.9);  // the source is a bigram source, and its counts are many
  EXPECT_GE(weights.uniform, 1e-6);
}

// Defect: a score over other pairs than the validation loss takes, or the end
// token counted as text.
TEST(Bigram, ScoresExactlyTheLoadersPairs) {
  const TemporaryFolder folder;
  const TokenFile train = TokenFile::open(write_source(folder, "train", 200, 1));
  const TokenFile file = TokenFile::open(write_source(folder, "validation", 50, 2));
  const NextTokenLoader loader(TokenFile::open(file.path()), 16, SampleOrder::kAsInFile);
  const BigramModel model = BigramModel::fit(train);
  std::vector<int64_t> indices(static_cast<size_t>(loader.num_samples()));
  std::iota(indices.begin(), indices.end(), 0);
  indices.push_back(kNoSample);
  const BigramScore score = model.score(loader, indices, byte_tokenizer_bytes());

  PlainCounts plain(train);
  double nats = 0.0;
  int64_t num_bytes = 0;
  const int64_t num_pairs = loader.num_samples() * 16;
  for (int64_t i = 0; i < num_pairs; ++i) {
    std::vector<int32_t> pair(2);
    file.read(i, pair);
    nats -= std::log(plain.probability(pair[0], pair[1], model.weights()));
    num_bytes += pair[1] == 0 ? 0 : 1;
  }
  EXPECT_EQ(score.num_tokens, num_pairs);
  EXPECT_EQ(score.num_bytes, num_bytes);
  EXPECT_NEAR(score.nats_per_token, nats / static_cast<double>(num_pairs), 1e-12);
  EXPECT_NEAR(score.bits_per_byte, nats / std::log(2.0) / static_cast<double>(num_bytes), 1e-12);
}

// Defect: a token never seen in training makes the score infinite.
TEST(Bigram, UnseenTokensHaveAProbability) {
  const TemporaryFolder folder;
  const BigramModel model = BigramModel::fit(TokenFile::open(write_source(folder, "train", 60, 1)));
  EXPECT_GT(model.probability(1, 200), 1e-9);
  EXPECT_GT(model.probability(200, 201), 1e-9);
}

// Defect: a file too small to hold anything out divides by zero.
TEST(Bigram, FitsAFewTokens) {
  const TemporaryFolder folder;
  TokenFileWriter writer(folder / "tiny", {kVocabulary, -1, 0, 1});
  writer.add_document(std::vector<int32_t>{1, 2}, 2);
  writer.commit();
  const BigramModel model = BigramModel::fit(TokenFile::open(folder / "tiny"));
  EXPECT_TRUE(model.heldout_nats().empty());
  EXPECT_NEAR(model.probability(1, 2), (1.0 + 0.5 + 1.0 / kVocabulary) / 3.0, 1e-12);
}

}  // namespace
}  // namespace lmtrain

#include "data/blend.h"

#include <cmath>
#include <map>
#include <thread>

#include <gtest/gtest.h>

#include "data/blended_loader.h"
#include "data/next_token_loader.h"
#include "data/token_file_writer.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

// Defect: a share drifts, is rounded to a period or is right only at the end; or samples of a
// source are skipped or come twice.
TEST(Blend, EverySourceHasItsShareOfEveryPrefixToLessThanOneSample) {
  const std::vector<std::vector<double>> cases = {
      {1},       {0.7, 0.3},
      {1, 1, 1}, {3.14159, 2.71828, 1e-3, 57},
      {1e-6, 1}, {0.5, 0.25, 0.125, 0.0625, 0.0625, 0.00001, 0.3, 0.3, 0.3}};
  for (const std::vector<double>& weights : cases) {
    double sum = 0;
    for (const double weight : weights) sum += weight;
    const Blend blend(weights);
    std::vector<int64_t> given(weights.size());
    for (int64_t i = 0; i < 60000; ++i) {
      const Blend::Pick pick = blend.at(i);
      ASSERT_EQ(pick.index, given[pick.source]);
      ++given[pick.source];
      for (size_t s = 0; s < weights.size(); ++s) {
        const double share = weights[s] / sum * static_cast<double>(i + 1);
        ASSERT_LT(std::abs(static_cast<double>(given[s]) - share), 1.0)
            << weights.size() << " sources, source " << s << " after " << i + 1;
      }
    }
  }
}

// Defect: a pick depends on earlier calls or on calls of other threads.
TEST(Blend, APickIsAFunctionOfTheSampleAlone) {
  const std::vector<double> weights = {0.62, 0.3, 0.08};
  const Blend in_turn(weights);
  std::vector<Blend::Pick> expected;
  for (int64_t i = 0; i < 30000; ++i) expected.push_back(in_turn.at(i));
  const Blend blend(weights);
  const auto compare = [&](int64_t step) {
    for (int64_t k = 0; k < 3000; ++k) {
      const int64_t i = (k * step) % 30000;
      const Blend::Pick pick = blend.at(i);
      EXPECT_EQ(pick.source, expected[static_cast<size_t>(i)].source) << i;
      EXPECT_EQ(pick.index, expected[static_cast<size_t>(i)].index) << i;
    }
  };
  std::thread other([&] { compare(7919); });
  compare(29989);
  other.join();
}

// Documents 0 .. n-1 of a file: document d is `length` times the token d, and the end token.
TokenFile file_of(const TemporaryFolder& folder, int32_t num_documents, size_t length) {
  TokenFileWriter writer(folder / "x.tokens", {100, -1, 99, 1});
  for (int32_t d = 0; d < num_documents; ++d)
    writer.add_document(std::vector<int32_t>(length, d), 1);
  writer.commit();
  return TokenFile::open(folder / "x.tokens");
}

// Defect: a part that reads the file from its start, or beyond its own end.
TEST(TokenFile, APartIsAFileOfItsDocuments) {
  const TemporaryFolder folder;
  const TokenFile whole = file_of(folder, 10, 3);
  const TokenFile part = whole.part(4, 3).part(1, 2);
  EXPECT_EQ(part.header().num_documents, 2);
  EXPECT_EQ(part.num_tokens(), 8);
  EXPECT_EQ(std::vector<uint64_t>(part.document_offsets().begin(), part.document_offsets().end()),
            (std::vector<uint64_t>{0, 4, 8}));
  std::vector<int32_t> tokens(8);
  part.read(0, tokens);
  EXPECT_EQ(tokens, (std::vector<int32_t>{5, 5, 5, 99, 6, 6, 6, 99}));
  EXPECT_ANY_THROW(part.read(1, tokens));
}

// Defect: samples come from another source than the blend says, or a source whose samples are used
// up stops or starts again in the same order.
TEST(BlendedLoader, TakesEachSourcesSamplesInItsShareAndBeginsAnew) {
  const TemporaryFolder folder;
  const TokenFile whole = file_of(folder, 90, 3);  // windows of 4 tokens, one per document
  const auto part = [&](int64_t first, int64_t count, uint64_t seed) {
    return std::make_unique<NextTokenLoader>(whole.part(first, count), 4,
                                             SampleOrder::kPermutedEachEpoch, seed);
  };
  std::vector<std::unique_ptr<Loader>> parts;
  parts.push_back(part(0, 60, 1));
  parts.push_back(part(60, 30, 2));
  const BlendedLoader loader(std::move(parts), {1, 3});
  EXPECT_EQ(loader.num_samples(), 59 + 29);
  std::vector<int64_t> indices(4 * 59 + 1);
  for (size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<int64_t>(i);
  indices.back() = kNoSample;
  const Batch batch = loader.load(indices);
  std::map<int64_t, int> seen;
  std::vector<int64_t> of_second;
  for (size_t row = 0; row + 1 < indices.size(); ++row) {
    const int64_t document = batch.ids[row * 4];
    ++seen[document];
    if (document >= 60) of_second.push_back(document);
    EXPECT_EQ(batch.sample_indices[row], static_cast<int64_t>(row));
  }
  EXPECT_EQ(batch.sample_indices.back(), kNoSample);
  ASSERT_EQ(of_second.size(), 3 * 59U);  // six passes and three samples
  for (int64_t d = 0; d < 59; ++d) EXPECT_EQ(seen[d], 1) << d;
  for (int64_t d = 60; d < 89; ++d) EXPECT_GE(seen[d], 6) << d;
  EXPECT_NE(std::vector<int64_t>(of_second.begin(), of_second.begin() + 29),
            std::vector<int64_t>(of_second.begin() + 29, of_second.begin() + 58));
}

}  // namespace
}  // namespace lmtrain

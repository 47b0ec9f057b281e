#include <algorithm>
#include <numeric>
#include <set>

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/hash.h"
#include "data/next_token_loader.h"
#include "data/token_file_writer.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

constexpr int64_t kLength = 8;

// 25 documents of 1 to 25 tokens, all different, behind start tokens: 350 tokens, 43 samples.
TokenFile counting_file(const TemporaryFolder& folder) {
  TokenFileWriter writer(folder / "file", {1000, 0, -1, 1});
  int32_t next = 1;
  for (int length = 1; length <= 25; ++length) {
    std::vector<int32_t> document(static_cast<size_t>(length));
    std::iota(document.begin(), document.end(), next);
    next += length;
    writer.add_document(document, length);
  }
  writer.commit();
  return TokenFile::open(folder / "file");
}

class LoaderTest : public testing::Test {
 protected:
  NextTokenLoader loader(SampleOrder order, uint64_t seed = 1) const {
    return NextTokenLoader(TokenFile::open(folder_ / "file"), kLength, order, seed);
  }

  TemporaryFolder folder_;
  TokenFile file_ = counting_file(folder_);
};

std::vector<int64_t> range(int64_t begin, int64_t end) {
  std::vector<int64_t> indices(static_cast<size_t>(end - begin));
  std::iota(indices.begin(), indices.end(), begin);
  return indices;
}

template <class T>
void append(std::vector<T>& to, const std::vector<T>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

// Defect: windows that overlap, leave a gap, or labels that are not the next token.
TEST_F(LoaderTest, EachTokenIsALabelOnce) {
  const NextTokenLoader ordered = loader(SampleOrder::kAsInFile);
  ASSERT_EQ(ordered.num_samples(), 43);
  const Batch batch = ordered.load(range(0, 43));
  for (size_t i = 0; i < batch.ids.size(); ++i) {
    std::vector<int32_t> pair(2);
    file_.read(static_cast<int64_t>(i), pair);
    EXPECT_EQ(batch.ids[i], pair[0]);
    EXPECT_EQ(batch.labels[i], pair[1]);
    EXPECT_EQ(batch.weights[i], 1.0F);
    EXPECT_EQ(batch.padding_mask[i], 1);
  }
}

// Defect: a start token that belongs to the document before it, so that the first word is predicted
// from that document's text; document ids that do not start at 0.
TEST_F(LoaderTest, DocumentIdsCountWithinASample) {
  const Batch batch = loader(SampleOrder::kAsInFile).load(range(0, 2));
  EXPECT_EQ(batch.ids, (std::vector<int64_t>{0, 1, 0, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 10, 0, 11}));
  EXPECT_EQ(batch.document_ids,
            (std::vector<int32_t>{0, 0, 1, 1, 1, 2, 2, 2, 0, 1, 1, 1, 1, 1, 2, 2}));
  EXPECT_EQ(batch.sample_places, (std::vector<int64_t>{0, 8}));
}

// Defect: a special token within a document's text that is taken for the end of the document.
TEST_F(LoaderTest, DocumentsEndWhereTheFileSaysSo) {
  TokenFileWriter writer(folder_ / "other", {1000, 0, 999, 1});
  writer.add_document(std::vector<int32_t>{5, 999, 0, 6}, 4);
  writer.add_document(std::vector<int32_t>{7}, 1);
  writer.commit();
  const NextTokenLoader loader(TokenFile::open(folder_ / "other"), kLength, SampleOrder::kAsInFile);
  const Batch batch = loader.load(range(0, 1));
  EXPECT_EQ(batch.ids, (std::vector<int64_t>{0, 5, 999, 0, 6, 999, 0, 7}));
  EXPECT_EQ(batch.document_ids, (std::vector<int32_t>{0, 0, 0, 0, 0, 0, 1, 1}));
}

// Defect: a validation of a few batches that sees the beginning of the text alone.
TEST_F(LoaderTest, SpreadSamplesAreFromEverywhereAndAlwaysTheSame) {
  const std::vector<int64_t> places =
      loader(SampleOrder::kSpread, 1).load(range(0, 43)).sample_places;
  EXPECT_EQ(places, loader(SampleOrder::kSpread, 2).load(range(0, 43)).sample_places);
  EXPECT_EQ(std::set<int64_t>(places.begin(), places.end()).size(), 43U);
  const auto in_first_half =
      std::count_if(places.begin(), places.begin() + 12, [](int64_t place) { return place < 175; });
  EXPECT_GE(in_first_half, 3);
  EXPECT_LE(in_first_half, 9);
}

// Defect: an epoch that repeats a sample before all were seen, or repeats the last epoch's order.
TEST_F(LoaderTest, EachEpochHoldsEverySampleOnceInItsOwnOrder) {
  const NextTokenLoader permuted = loader(SampleOrder::kPermutedEachEpoch);
  const std::vector<uint64_t> first = permuted.load(range(0, 43)).sample_hashes;
  const std::vector<uint64_t> second = permuted.load(range(43, 86)).sample_hashes;
  EXPECT_EQ(std::set<uint64_t>(first.begin(), first.end()).size(), 43U);
  EXPECT_EQ(std::set<uint64_t>(first.begin(), first.end()),
            std::set<uint64_t>(second.begin(), second.end()));
  EXPECT_NE(first, second);
  EXPECT_NE(first, loader(SampleOrder::kAsInFile).load(range(0, 43)).sample_hashes);
  EXPECT_NE(first, loader(SampleOrder::kPermutedEachEpoch, 2).load(range(0, 43)).sample_hashes);
}

// Defect: a global batch that depends on how many ranks share it, also where epochs meet.
TEST_F(LoaderTest, AnySplitOverRanksGivesTheSameGlobalBatch) {
  const NextTokenLoader permuted = loader(SampleOrder::kPermutedEachEpoch);
  constexpr int64_t kGlobalBatch = 12;
  constexpr int64_t kStep = 3;  // samples 36 to 47, with 43 samples per epoch
  const auto share = [&](int64_t begin, int64_t end) {
    std::vector<int64_t> indices;
    for (int64_t position = begin; position < end; ++position) {
      indices.push_back(kStep * kGlobalBatch + position);
    }
    return permuted.load(indices);
  };
  const Batch whole = share(0, kGlobalBatch);
  EXPECT_EQ(whole.sample_indices, range(36, 48));
  for (const int64_t num_ranks : {1, 2, 3, 4, 6, 12}) {
    Batch joined;
    for (int64_t rank = 0; rank < num_ranks; ++rank) {
      const int64_t size = kGlobalBatch / num_ranks;
      const Batch part = share(rank * size, (rank + 1) * size);
      append(joined.ids, part.ids);
      append(joined.labels, part.labels);
      append(joined.document_ids, part.document_ids);
      append(joined.sample_hashes, part.sample_hashes);
    }
    EXPECT_EQ(joined.ids, whole.ids);
    EXPECT_EQ(joined.labels, whole.labels);
    EXPECT_EQ(joined.document_ids, whole.document_ids);
    EXPECT_EQ(joined.sample_hashes, whole.sample_hashes);
  }
}

// Defect: a resumed run that goes on with other samples: an index must always mean the same one.
TEST_F(LoaderTest, AnIndexIsAPureFunction) {
  const Batch together = loader(SampleOrder::kPermutedEachEpoch).load(range(1000, 1100));
  for (int64_t i = 99; i >= 0; --i) {
    const Batch alone = loader(SampleOrder::kPermutedEachEpoch).load(range(1000 + i, 1001 + i));
    EXPECT_EQ(alone.sample_hashes[0], together.sample_hashes[static_cast<size_t>(i)]);
  }
}

// Defect: a hash that misses the last label or depends on how the file stores ids.
TEST_F(LoaderTest, SampleHashIsOfTheWindowsTokens) {
  const Batch batch = loader(SampleOrder::kAsInFile).load(range(2, 3));
  std::vector<int32_t> tokens(kLength + 1);
  file_.read(2 * kLength, tokens);
  EXPECT_EQ(batch.sample_hashes[0], hash_bytes(tokens.data(), tokens.size() * sizeof(int32_t)));
}

// Defect: rows without a sample are counted in the loss.
TEST_F(LoaderTest, NoSampleWeighsNothing) {
  const Batch batch = loader(SampleOrder::kAsInFile).load(std::vector<int64_t>{4, kNoSample});
  EXPECT_EQ(batch.num_samples, 2);
  EXPECT_EQ(batch.sample_indices, (std::vector<int64_t>{4, kNoSample}));
  for (size_t i = 0; i < kLength; ++i) {
    EXPECT_EQ(batch.weights[i], 1.0F);
    EXPECT_EQ(batch.weights[kLength + i], 0.0F);
    EXPECT_EQ(batch.padding_mask[kLength + i], 0);
    EXPECT_EQ(batch.ids[kLength + i], 0);
    EXPECT_EQ(batch.labels[kLength + i], 0);
  }
}

// Defect: the smallest file that has a sample is refused, or one token less is read past its end.
TEST_F(LoaderTest, NeedsOneTokenMoreThanASequence) {
  EXPECT_EQ(
      NextTokenLoader(TokenFile::open(folder_ / "file"), 349, SampleOrder::kAsInFile).num_samples(),
      1);
  const std::string message = message_of<DataError>(
      [&] { NextTokenLoader(TokenFile::open(folder_ / "file"), 350, SampleOrder::kAsInFile); });
  EXPECT_NE(message.find("holds 350 tokens"), std::string::npos) << message;
  EXPECT_NE(message.find("at least 351"), std::string::npos) << message;
}

}  // namespace
}  // namespace lmtrain

#include "data/tokenizer/bpe_trainer.h"

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "data/tokenizer/word_counts.h"
#include "tests/tokenizer/fixture.h"

namespace lmtrain {
namespace {

using Documents = std::vector<std::string>;

NextDocument reader(const Documents& documents) {
  return [&documents, next = size_t{0}](std::string_view& document) mutable {
    if (next == documents.size()) return false;
    document = documents[next++];
    return true;
  };
}

Tokenizer train(const Documents& documents, int64_t vocab_size, int num_threads) {
  return train_bpe(reader(documents), {.vocab_size = vocab_size, .num_threads = num_threads},
                   [](double) {});
}

nlohmann::json merges_of(const Tokenizer& tokenizer) {
  return nlohmann::json::parse(tokenizer.to_json())["model"]["merges"];
}

// Words of few letters, so that every pair is in thousands of places.
std::string random_words(size_t num_words, size_t word_size) {
  std::mt19937 random(4);
  std::string text;
  for (size_t i = 0; i < num_words; ++i) {
    for (size_t j = 0; j < word_size; ++j) text += "aabc"[random() % 4];
    text += ' ';
  }
  return text;
}

// Defect: another merge than the reference's: wrong counts in runs of one letter, a wrong
// tie-break, another order within a word.
TEST(BpeTrainer, MergesAreThoseOfTheReference) {
  const auto cases = read_fixture("train.json");
  ASSERT_GT(cases.size(), 50u);
  for (const auto& expected : cases) {
    const auto documents = expected["documents"].get<Documents>();
    for (const int num_threads : {1, 2, 4}) {
      const Tokenizer tokenizer = train(documents, expected["vocab_size"], num_threads);
      ASSERT_EQ(merges_of(tokenizer), expected["merges"]) << expected;
    }
  }
}

// Defect: the same merges are stored as a different tokenizer.
TEST(BpeTrainer, MakesTheFileOfTheReference) {
  const Tokenizer reference = Tokenizer::load(fixture_path("tokenizer.json"));
  const Tokenizer own =
      train(read_fixture("corpus.json").get<Documents>(), reference.vocab_size(), 2);
  EXPECT_EQ(own.to_json(), reference.to_json());
  EXPECT_EQ(own.hash(), reference.hash());
}

// Defect: two threads change one word, or their results are combined in an order that varies. The
// text is large enough for the merges to be shared among threads.
TEST(BpeTrainer, ThreadsDoNotChangeTheMerges) {
  const Documents documents = {random_words(30000, 16)};
  const std::string expected = train(documents, 1200, 1).to_json();
  EXPECT_EQ(train(documents, 1200, 2).to_json(), expected);
  EXPECT_EQ(train(documents, 1200, 4).to_json(), expected);
}

// Defect: a word without any place to cut it divided among threads, or scanned again and again.
TEST(BpeTrainer, OneLongWordIsLeftWhole) {
  const Documents documents = {random_words(1, 400000)};
  EXPECT_EQ(train(documents, 700, 4).to_json(), train(documents, 700, 1).to_json());
}

// Defect: documents too large to copy skipped, counted twice, or run into their neighbours.
TEST(BpeTrainer, LargeDocumentsCountLikeSmallOnes) {
  const std::string part = random_words(2000, 9);
  std::string large;
  Documents documents;
  while (large.size() < (size_t{17} << 20)) {
    large += part;
    documents.push_back(part);
  }
  EXPECT_EQ(train({"before", large, "behind"}, 400, 2).to_json(), [&] {
    documents.push_back("before");
    documents.push_back("behind");
    return train(documents, 400, 2).to_json();
  }());
}

// Defect: pairs counted across documents or words.
TEST(BpeTrainer, PairsDoNotCrossDocuments) {
  EXPECT_EQ(merges_of(train({"a", "b", "a", "b"}, 300, 1)), nlohmann::json::array());
}

// Defect: an error or an endless loop where the text has too few pairs, or no text at all.
TEST(BpeTrainer, SmallTextGivesASmallVocabulary) {
  EXPECT_EQ(train({"abc"}, 50000, 2).vocab_size(), 259);
  EXPECT_EQ(train({}, 50000, 2).vocab_size(), 257);
  EXPECT_EQ(train({"", ""}, 257, 1).vocab_size(), 257);
}

// Defect: bytes that are not UTF-8 refused or lost.
TEST(BpeTrainer, TrainsOnAnyBytes) {
  const std::string text = "\xFF\xFE\x80\xFF\xFE\x80";
  const Tokenizer tokenizer = train({text}, 300, 1);
  std::vector<int32_t> ids;
  tokenizer.encode(text, ids);
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_EQ(tokenizer.decode(ids), text);
}

// Defect: memory that grows past the cap instead of a clear error.
TEST(BpeTrainer, TooManyDifferentWordsAreAnError) {
  const Documents documents = {random_words(50000, 12)};
  for (const int num_threads : {1, 2}) {
    const BpeTrainerOptions options = {
        .vocab_size = 300, .num_threads = num_threads, .max_memory_bytes = 1 << 20};
    try {
      train_bpe(reader(documents), options, [](double) {});
      ADD_FAILURE() << "no error";
    } catch (const DataError& error) {
      EXPECT_NE(std::string(error.what()).find("1.0 MiB"), std::string::npos) << error.what();
    }
  }
}

// Defect: an error of the source swallowed by a thread, or a thread that never ends after it.
TEST(BpeTrainer, ErrorsOfTheSourceReachTheCaller) {
  for (const int num_threads : {1, 4}) {
    int left = 3;
    const auto failing = [&](std::string_view& document) -> bool {
      if (--left == 0) throw IoError("the disk is gone");
      document = "text";
      return true;
    };
    EXPECT_THROW(train_bpe(failing, {.num_threads = num_threads}, [](double) {}), IoError);
  }
}

// Defect: special tokens in another order, not special, or in the way of the bytes and merges.
TEST(BpeTrainer, SpecialTokensAreTheFirstIds) {
  const std::vector<std::string> special = {"<s>", "<pad>", "</s>", "<unk>", "<mask>"};
  const Documents documents = {random_words(2000, 9)};
  const Tokenizer tokenizer =
      train_bpe(reader(documents), {.vocab_size = 400, .special_tokens = special}, [](double) {});
  for (size_t id = 0; id < special.size(); ++id) {
    EXPECT_TRUE(tokenizer.is_special(static_cast<int32_t>(id)));
    EXPECT_EQ(tokenizer.token_text(static_cast<int32_t>(id)), special[id]);
  }
  EXPECT_FALSE(tokenizer.is_special(5));
  EXPECT_EQ(tokenizer.vocab_size(), 400);
  EXPECT_EQ(tokenizer.mask_token(), 4);
  EXPECT_EQ(tokenizer.class_token(), 0);
  EXPECT_EQ(tokenizer.end_of_text(), 2);
  EXPECT_EQ(merges_of(tokenizer), merges_of(train(documents, 396, 1)));
  EXPECT_EQ(Tokenizer::parse(tokenizer.to_json(), "x").hash(), tokenizer.hash());
}

// Defect: a special token that merges make too, so that one text has two ids.
TEST(BpeTrainer, RefusesSpecialTokensThatAreWords) {
  const std::vector<std::vector<std::string>> cases = {{"the"}, {"!"}, {""}, {"<s>", "<s>"}};
  for (const auto& special : cases) {
    const BpeTrainerOptions options = {.vocab_size = 300, .special_tokens = special};
    EXPECT_THROW(train_bpe(reader({"a"}), options, [](double) {}), ConfigError);
  }
}

// Defect: options out of range taken as they are.
TEST(BpeTrainer, RefusesOptionsOutOfRange) {
  EXPECT_THROW(train({"a"}, 256, 1), ConfigError);
  EXPECT_THROW(train({"a"}, (INT64_C(1) << 24) + 1, 1), ConfigError);
  EXPECT_THROW(train({"a"}, 300, 0), ConfigError);
}

// Defect: progress that goes back, or does not end at 1.
TEST(BpeTrainer, ProgressEndsAtOne) {
  std::vector<double> fractions;
  train_bpe(reader({random_words(500, 8)}), {.vocab_size = 600},
            [&](double fraction) { fractions.push_back(fraction); });
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
  EXPECT_GT(fractions.size(), 3u);
  EXPECT_EQ(fractions.back(), 1.0);
}

// Defect: a count lost when the table grows or words of one hash part meet.
TEST(WordCounts, CountsEveryWord) {
  Documents documents;
  for (int i = 0; i < 5000; ++i) documents.push_back("w" + std::to_string(i % 1000) + "x");
  WorkerPool pool(3);
  int64_t total = 0;
  size_t num_words = 0;
  for (const WordCounts& part : count_words(reader(documents), IdentityNormalizer(),
                                            ByteLevelPreTokenizer(), INT64_C(1) << 30, pool)) {
    num_words += part.size();
    for (size_t i = 0; i < part.size(); ++i) total += part.count(i);
  }
  EXPECT_EQ(num_words, 1002u);  // "w", "x", 1000 numbers
  EXPECT_EQ(total, 15000);
}

// Defect: an exception of one thread ends the program, or the pool cannot be used after it.
TEST(WorkerPool, PassesExceptionsOn) {
  WorkerPool pool(3);
  const auto failing = [](int thread) {
    if (thread == 2) throw std::runtime_error("thread 2");
  };
  EXPECT_THROW(pool.run(failing), std::runtime_error);
  std::vector<int> seen(3);
  pool.run([&](int thread) { seen[static_cast<size_t>(thread)] = 1; });
  EXPECT_EQ(seen, std::vector<int>(3, 1));
}

}  // namespace
}  // namespace lmtrain

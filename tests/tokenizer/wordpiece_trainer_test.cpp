#include "data/tokenizer/wordpiece_trainer.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/tokenizer/fixture.h"

namespace lmtrain {
namespace {

using Documents = std::vector<std::string>;
using Tokens = std::vector<std::string>;

Tokenizer train(const Documents& documents, const WordPieceTrainerOptions& options) {
  size_t next = 0;
  return train_wordpiece(
      [&](std::string_view& document) {
        if (next == documents.size()) return false;
        document = documents[next++];
        return true;
      },
      options, [](double) {});
}

// Returns the tokens by id.
Tokens tokens_of(const Tokenizer& tokenizer) {
  const auto vocabulary = nlohmann::json::parse(tokenizer.to_json())["model"]["vocab"];
  Tokens tokens(vocabulary.size());
  for (const auto& [token, id] : vocabulary.items()) tokens[id.get<size_t>()] = token;
  return tokens;
}

// Returns the trained tokens, which follow [PAD] ... [MASK].
Tokens trained(const Documents& documents, WordPieceTrainerOptions options) {
  const Tokens tokens = tokens_of(train(documents, options));
  return {tokens.begin() + 5, tokens.end()};
}

std::string random_words(size_t num_words, size_t word_size) {
  std::mt19937 random(4);
  std::string text;
  for (size_t i = 0; i < num_words; ++i) {
    for (size_t j = 0; j < word_size; ++j) text += "aabc"[random() % 4];
    text += i % 3 == 0 ? ", " : " ";
  }
  return text;
}

// Defect: another order of the alphabet or of merges than the rule's; ties broken by chance.
TEST(WordPieceTrainer, FollowsItsRule) {
  EXPECT_EQ(trained({"ab ab abc."}, {.vocab_size = 12}),
            (Tokens{".", "a", "b", "c", "##b", "##c", "ab"}));
  EXPECT_EQ(trained({"ab ab abc."}, {.vocab_size = 100}),
            (Tokens{".", "a", "b", "c", "##b", "##c", "ab", "abc"}));
  // (a, ##b), (c, ##b) and (c, ##d) are equally frequent.
  EXPECT_EQ(trained({"cd", "cb", "ab"}, {.vocab_size = 100}),
            (Tokens{"a", "b", "c", "d", "##b", "##d", "ab", "cb", "cd"}));
  // A run is merged from the left: b ##aa ##aa, then (b, ##aa) for its smaller id.
  EXPECT_EQ(trained({"baaaa"}, {.vocab_size = 11}),
            (Tokens{"a", "b", "##a", "##aa", "baa", "baaaa"}));
}

// Defect: words not those of the encoder: case, accents, punctuation, controls.
TEST(WordPieceTrainer, WordsAreNormalised) {
  EXPECT_EQ(trained({"\xC3\x89TE\x01-", "\xE4\xB8\xAD"}, {.vocab_size = 13}),
            (Tokens{"-", "e", "t", "\xE4\xB8\xAD", "##e", "##t", "et", "ete"}));
  EXPECT_EQ(trained({"\xC3\x89T"}, {.vocab_size = 100, .lowercase = false}),
            (Tokens{"T", "\xC3\x89", "##T", "\xC3\x89T"}));
}

// Defect: threads that change the vocabulary.
TEST(WordPieceTrainer, ThreadsDoNotChangeTheVocabulary) {
  Documents documents = {random_words(30000, 16)};
  for (const auto& text : read_fixture("corpus.json")) documents.push_back(text);
  const std::string expected = train(documents, {.vocab_size = 1500}).to_json();
  for (const int num_threads : {2, 4}) {
    const WordPieceTrainerOptions options = {.vocab_size = 1500, .num_threads = num_threads};
    EXPECT_EQ(train(documents, options).to_json(), expected);
  }
}

// Defect: characters over the limit of the alphabet, or words too long for the model, that take
// places in the vocabulary though they will be [UNK].
TEST(WordPieceTrainer, LeavesOutWhatWillBeUnknown) {
  std::string text;
  for (int i = 0; i < 1200; ++i) {  // syllables of Canada
    const int c = 0x1400 + i % 600;
    const std::string syllable = {static_cast<char>(0xE0 | c >> 12),
                                  static_cast<char>(0x80 | (c >> 6 & 0x3F)),
                                  static_cast<char>(0x80 | (c & 0x3F))};
    text += syllable + " ";
  }
  const Tokens few = trained({text + std::string(101, 'x') + " " + std::string(100, 'y')},
                             {.vocab_size = 5 + 600 + 2 + 3});
  EXPECT_EQ(std::count(few.begin(), few.end(), "x"), 0);
  EXPECT_EQ(std::count(few.begin(), few.end(), "##y"), 1);
  EXPECT_EQ(few.back(), "##yyyyyyyy");

  std::string ideographs = "common";
  for (int c = 0x4E00; c < 0x4E00 + 1200; ++c) {
    for (int times = 0; times < (c < 0x4E00 + 999 ? 1 : 2); ++times) {
      ideographs += {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3F)),
                     static_cast<char>(0x80 | (c & 0x3F))};
    }
  }
  const Tokens most = trained({ideographs}, {.vocab_size = 5000});
  const auto num_ideographs = std::count_if(most.begin(), most.end(), [](const std::string& t) {
    return t.front() == '\xE4' || t.front() == '\xE5';
  });
  EXPECT_EQ(num_ideographs, 1000 - 4);  // c, o, m, n
  EXPECT_EQ(std::count(most.begin(), most.end(), "common"), 1);
}

// Defect: a trained tokenizer that is not one of BERT's kind.
TEST(WordPieceTrainer, MakesATokenizerOfBert) {
  const Documents documents = {"The rivers, the river's bridge."};
  const Tokenizer tokenizer = train(documents, {.vocab_size = 60});
  EXPECT_EQ(tokenizer.pad_token(), 0);
  EXPECT_EQ(tokenizer.unknown_token(), 1);
  EXPECT_EQ(tokenizer.class_token(), 2);
  EXPECT_EQ(tokenizer.separator_token(), 3);
  EXPECT_EQ(tokenizer.mask_token(), 4);
  std::vector<int32_t> ids;
  tokenizer.encode(documents[0], ids);
  EXPECT_EQ(tokenizer.decode(ids), "the rivers, the river ' s bridge.");
  EXPECT_EQ(Tokenizer::parse(tokenizer.to_json(), "x").hash(), tokenizer.hash());
}

// Defect: an endless loop or an error where there is nothing to merge.
TEST(WordPieceTrainer, SmallTextGivesASmallVocabulary) {
  EXPECT_EQ(train({}, {.vocab_size = 5}).vocab_size(), 5);
  EXPECT_EQ(train({"", " \n"}, {.vocab_size = 50}).vocab_size(), 5);
  EXPECT_EQ(train({"a"}, {.vocab_size = 50}).vocab_size(), 6);
}

// Defect: options that cannot be met taken as they are; memory past the cap.
TEST(WordPieceTrainer, RefusesWhatItCannotDo) {
  EXPECT_THROW(train({"a"}, {.vocab_size = 4}), ConfigError);
  EXPECT_THROW(train({"a"}, {.vocab_size = 5}), ConfigError);
  EXPECT_THROW(train({"a"}, {.vocab_size = (INT64_C(1) << 24) + 1}), ConfigError);
  EXPECT_THROW(train({"a"}, {.vocab_size = 50, .num_threads = 0}), ConfigError);
  EXPECT_THROW(train({random_words(50000, 12)}, {.vocab_size = 300, .max_memory_bytes = 1 << 20}),
               DataError);
}

}  // namespace
}  // namespace lmtrain

#include "data/tokenizer/tokenizer.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/tokenizer/fixture.h"

namespace lmtrain {
namespace {

using Ids = std::vector<int32_t>;

const Tokenizer& reference_tokenizer() {
  static const Tokenizer tokenizer = Tokenizer::load(fixture_path("tokenizer.json"));
  return tokenizer;
}

Ids encode(const Tokenizer& tokenizer, std::string_view text) {
  Ids ids;
  tokenizer.encode(text, ids);
  return ids;
}

std::string random_bytes(std::mt19937& random, size_t max_size) {
  std::string text(random() % max_size, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

// Defect: a large document whose ids depend on where it was cut.
TEST(Tokenizer, PartsOfASafelyCutTextHaveTheIdsOfTheWhole) {
  std::mt19937 random(11);
  const std::string alphabet[] = {
      "a",  "B",      "7",        "the", "'s",   " ",      "  ",           "\n",
      "\n", "\r",     "\t",       ".",   "!?",   "\u00e9", "\u03a3",       "\u4e2d",
      "-",  "\u0301", "\u0020\n", "x\n", "1\n ", "[MASK]", "<|endoftext|>"};
  for (const char* file : {"tokenizer.json", "tokenizer_llama3.json", "split_qwen.json",
                           "bert_uncased.json", "bert_cased.json", "nfc.json"}) {
    const nlohmann::json fixture = read_fixture(file);
    if (!fixture.contains("model")) continue;
    const Tokenizer tokenizer = Tokenizer::load(fixture_path(file));
    int64_t cuts = 0;
    for (int round = 0; round < 300; ++round) {
      std::string text;
      for (int i = 0; i < 40; ++i) text += alphabet[random() % std::size(alphabet)];
      Ids parts;
      std::string_view rest = text;
      while (!rest.empty()) {
        const size_t cut = tokenizer.safe_cut(rest, random() % 9);
        cuts += cut < rest.size() ? 1 : 0;
        tokenizer.encode(rest.substr(0, cut), parts);
        rest.remove_prefix(cut);
      }
      ASSERT_EQ(parts, encode(tokenizer, text)) << file << ": " << text;
    }
    EXPECT_GT(cuts, 300) << file;
  }
}

// Defect: ids that differ from the reference's, with and without the word cache, in short words and
// in those long enough for the heap.
TEST(Tokenizer, IdsAreThoseOfTheReference) {
  Tokenizer::Encoder encoder(reference_tokenizer());
  const auto cases = read_fixture("encode.json");
  ASSERT_GT(cases.size(), 50u);
  for (int round = 0; round < 2; ++round) {  // the second one finds the words in the cache
    for (const auto& expected : cases) {
      const auto text = expected["text"].get<std::string>();
      EXPECT_EQ(encode(reference_tokenizer(), text), expected["ids"].get<Ids>()) << text;
      Ids ids;
      encoder.encode(text, ids);
      EXPECT_EQ(ids, expected["ids"].get<Ids>()) << text;
    }
  }
}

// Defect: words of Llama 3's vocabulary that no merges lead to, its pattern, or the token before a
// text lost on the way through a file.
TEST(Tokenizer, IdsAreThoseOfTheReferenceWithThePatternOfLlama3) {
  const Tokenizer loaded = Tokenizer::load(fixture_path("tokenizer_llama3.json"));
  const Tokenizer again = Tokenizer::parse(loaded.to_json(), "written");
  EXPECT_EQ(loaded.to_json(), again.to_json());
  for (const Tokenizer& tokenizer : {loaded, again}) {
    EXPECT_EQ(tokenizer.token_text(tokenizer.begin_of_text()), "<|begin_of_text|>");
    EXPECT_EQ(tokenizer.token_text(tokenizer.end_of_text()), "<|end_of_text|>");
    Tokenizer::Encoder encoder(tokenizer);
    for (const auto& expected : read_fixture("encode_llama3.json")) {
      const auto text = expected["text"].get<std::string>();
      EXPECT_EQ(encode(tokenizer, text), expected["ids"].get<Ids>()) << text;
      Ids ids;
      encoder.encode(text, ids);
      EXPECT_EQ(ids, expected["ids"].get<Ids>()) << text;
    }
  }
}

// Defect: bytes lost or changed on the way, in text that is no UTF-8 too.
TEST(Tokenizer, DecodesWhatItEncoded) {
  std::mt19937 random(2);
  Tokenizer::Encoder encoder(reference_tokenizer());
  for (int round = 0; round < 500; ++round) {
    const std::string text = random_bytes(random, 300);
    Ids ids = encode(reference_tokenizer(), text);
    EXPECT_EQ(reference_tokenizer().decode(ids), text);
    ids.clear();
    encoder.encode(text, ids);
    EXPECT_EQ(reference_tokenizer().decode(ids), text);
  }
}

// Defect: the cache answers for another word: one that shares its slot, differs in the last byte,
// is a prefix, or ends in a zero byte.
TEST(Tokenizer, EncoderTellsWordsApart) {
  Tokenizer::Encoder encoder(reference_tokenizer());
  std::mt19937 random(3);
  for (int round = 0; round < 300000; ++round) {
    std::string word(1 + random() % 34, 'x');
    for (char& letter : word) letter = "the\0"[random() % 4];
    Ids ids = {7};
    encoder.encode(word, ids);
    Ids expected = {7};
    reference_tokenizer().encode(word, expected);
    ASSERT_EQ(ids, expected) << word;
  }
}

// Defect: state that threads share.
TEST(Tokenizer, ThreadsGiveTheSameIds) {
  const auto cases = read_fixture("encode.json");
  std::vector<Ids> results(4);
  std::vector<std::thread> threads;
  for (Ids& result : results) {
    threads.emplace_back([&] {
      Tokenizer::Encoder encoder(reference_tokenizer());
      for (const auto& expected : cases) {
        encoder.encode(expected["text"].get<std::string>(), result);
        reference_tokenizer().encode(expected["text"].get<std::string>(), result);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(results[1], results[0]);
  EXPECT_EQ(results[2], results[0]);
  EXPECT_EQ(results[3], results[0]);
}

// Defect: time that grows with the square of a word's length.
TEST(Tokenizer, OneLongWordIsEncodedInTime) {
  const std::string text(1 << 20, 'h');
  const auto start = std::chrono::steady_clock::now();
  const Ids ids = encode(reference_tokenizer(), text);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  EXPECT_LT(seconds.count(), 20.0);  // about 0.1 s; the square would take hours
  EXPECT_EQ(reference_tokenizer().decode(ids), text);
}

// Defect: a special token found in text, printed unasked, or counted as text.
TEST(Tokenizer, SpecialTokensAreNoText) {
  const Tokenizer& tokenizer = reference_tokenizer();
  const int32_t end = tokenizer.end_of_text();
  EXPECT_EQ(end, 0);
  const Ids ids = encode(tokenizer, kEndOfText);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), end), 0);
  EXPECT_EQ(tokenizer.decode(ids), kEndOfText);
  EXPECT_EQ(tokenizer.decode(Ids{end}), "");
  EXPECT_EQ(tokenizer.decode(Ids{end}, true), kEndOfText);
  EXPECT_EQ(tokenizer.token_num_bytes(end), 0);
}

// Defect: token sizes in characters of the byte alphabet instead of bytes of text, which would make
// bits per byte wrong.
TEST(Tokenizer, TokenBytesAddUpToTheText) {
  const auto cases = read_fixture("encode.json");
  for (const auto& expected : cases) {
    int64_t num_bytes = 0;
    for (const int32_t id : expected["ids"].get<Ids>()) {
      num_bytes += reference_tokenizer().token_num_bytes(id);
    }
    EXPECT_EQ(num_bytes, std::ssize(expected["text"].get<std::string>()));
  }
}

// Defect: an id outside the vocabulary read as memory.
TEST(Tokenizer, RefusesForeignIds) {
  const auto size = static_cast<int32_t>(reference_tokenizer().vocab_size());
  for (const int32_t id : {-1, size, INT32_MAX, INT32_MIN}) {
    EXPECT_THROW((void)reference_tokenizer().decode(Ids{id}), DataError);
    EXPECT_THROW((void)reference_tokenizer().token_num_bytes(id), DataError);
  }
}

}  // namespace
}  // namespace lmtrain

#include "data/tokenizer/pre_tokenizer.h"

#include <array>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "data/tokenizer/unicode_tables.h"
#include "data/tokenizer/utf8_character.h"
#include "tests/tokenizer/fixture.h"

namespace lmtrain {
namespace {

const ByteLevelPreTokenizer kGpt2;
const SplitPreTokenizer kLlama3(3);
const SplitPreTokenizer kQwen(1);

// Splits a text, asking for `at_once` words at a time.
std::vector<std::string> split(const PreTokenizer& pre_tokenizer, std::string_view text,
                               size_t at_once = 256) {
  std::vector<std::string> result;
  std::vector<std::string_view> words(at_once);
  size_t position = 0;
  while (const size_t count = pre_tokenizer.next_words(text, position, words)) {
    result.insert(result.end(), words.begin(), words.begin() + static_cast<ptrdiff_t>(count));
  }
  return result;
}

// Defect: a word boundary that is not where the reference has it: white space, contractions, or the
// first or last character of a run in the Unicode tables.
TEST(PreTokenizer, SplitsAsTheReferenceDoes) {
  const std::vector<std::pair<std::string, const PreTokenizer*>> patterns = {
      {"split.json", &kGpt2}, {"split_llama3.json", &kLlama3}, {"split_qwen.json", &kQwen}};
  for (const auto& [file, pre_tokenizer] : patterns) {
    const auto cases = read_fixture(file);
    ASSERT_GT(cases.size(), 20u);
    for (const auto& expected : cases) {
      std::vector<size_t> sizes;
      for (const std::string& word : split(*pre_tokenizer, expected["text"].get<std::string>())) {
        sizes.push_back(word.size());
      }
      EXPECT_EQ(sizes, expected["word_bytes"].get<std::vector<size_t>>())
          << file << ": " << expected["text"];
    }
  }
}

// Defect: tables of another reference version than the fixtures.
TEST(PreTokenizer, TablesAreThoseOfTheFixtures) {
  const auto made_by = read_fixture("made_by.json");
  EXPECT_EQ("tokenizers-" + made_by["tokenizers"].get<std::string>(), kUnicodeTablesVersion);
}

// Defect: code points lost between the runs of the tables (the numbers are the reference's).
TEST(PreTokenizer, TablesHoldEveryCodePoint) {
  std::array<int, 4> sizes{};
  for (uint32_t c = 0; c < 0x110000; ++c) ++sizes[static_cast<size_t>(character_class(c))];
  EXPECT_EQ(sizes[1], 141028);
  EXPECT_EQ(sizes[2], 1911);
  EXPECT_EQ(sizes[3], 25);
}

// Defect: bytes dropped, doubled or read beyond the end in text that is not UTF-8.
TEST(PreTokenizer, EveryByteIsInOneWord) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 40, '\0');
    for (char& byte : text) {
      byte = static_cast<char>(random() % 3 == 0 ? 0x80 + random() % 128 : " 'a1\n"[random() % 5]);
    }
    for (const PreTokenizer* pre_tokenizer :
         {static_cast<const PreTokenizer*>(&kGpt2), static_cast<const PreTokenizer*>(&kLlama3)}) {
      std::string together;
      for (const std::string& word : split(*pre_tokenizer, text)) {
        EXPECT_FALSE(word.empty());
        together += word;
      }
      EXPECT_EQ(together, text);
    }
  }
}

// Defect: words that depend on how many are asked for at a time.
TEST(PreTokenizer, ContinuesWhereItStopped) {
  const std::string text = "Don't  stop:\n\n 12 \xC3\xA9t\xC3\xA9 'll   ";
  for (const size_t at_once : {1, 2, 3, 7}) {
    EXPECT_EQ(split(kGpt2, text, at_once), split(kGpt2, text));
    EXPECT_EQ(split(kLlama3, text, at_once), split(kLlama3, text));
  }
}

// Defect: a malformed character that swallows the valid ones behind it.
TEST(PreTokenizer, InvalidBytesStandAlone) {
  EXPECT_EQ(split(kGpt2, "ab\xC3zz \xF0\x9F\x98 9"),
            (std::vector<std::string>{"ab", "\xC3", "zz", " \xF0\x9F\x98", " 9"}));
}

// Defect: overlong forms, surrogates or values over U+10FFFF taken for characters, or a valid
// character refused.
TEST(Utf8Character, AgreesWithTheDefinition) {
  const auto read = [](const std::string& text) {
    return read_utf8(text.data(), text.data() + text.size());
  };
  for (const char* bad :
       {"\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC3", "\xE2\x82",
        "\xF0\x9F\x98", "\xC3(", "\xFF"}) {
    EXPECT_EQ(read(bad).code_point, Utf8Character::kInvalid) << bad;
    EXPECT_EQ(read(bad).size, 1u);
  }
  EXPECT_EQ(read("\xC2\x80").code_point, 0x80u);
  EXPECT_EQ(read("\xDF\xBF").code_point, 0x7FFu);
  EXPECT_EQ(read("\xE0\xA0\x80").code_point, 0x800u);
  EXPECT_EQ(read("\xED\x9F\xBF").code_point, 0xD7FFu);
  EXPECT_EQ(read("\xEF\xBF\xBF").code_point, 0xFFFFu);
  EXPECT_EQ(read("\xF0\x90\x80\x80").code_point, 0x10000u);
  EXPECT_EQ(read("\xF4\x8F\xBF\xBF").code_point, 0x10FFFFu);
}

}  // namespace
}  // namespace lmtrain

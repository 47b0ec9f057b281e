// BERT's normaliser and pre-tokeniser.
#include <array>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "data/tokenizer/bert_normalizer.h"
#include "data/tokenizer/bert_pre_tokenizer.h"
#include "tests/tokenizer/digest.h"
#include "tests/tokenizer/fixture.h"

namespace lmtrain {
namespace {

using Words = std::vector<std::string>;

class Splitter {
 public:
  explicit Splitter(const BertNormalizerOptions& options)
      : normalizer_(options), pre_tokenizer_(options.profile) {}

  Words words(std::string_view text) const {
    std::string storage;
    const std::string_view normal = normalizer_.normalize(text, storage);
    Words result;
    std::array<std::string_view, 3> some;
    size_t position = 0;
    while (const size_t count = pre_tokenizer_.next_words(normal, position, some)) {
      result.insert(result.end(), some.begin(), some.begin() + static_cast<ptrdiff_t>(count));
    }
    return result;
  }

 private:
  BertNormalizer normalizer_;
  BertPreTokenizer pre_tokenizer_;
};

std::string normal(const BertNormalizerOptions& options, std::string_view text) {
  std::string storage;
  return std::string(BertNormalizer(options).normalize(text, storage));
}

struct Kind {
  const char* name;
  BertNormalizerOptions options;
};
const Kind kKinds[] = {
    {"hf_uncased", {}},
    {"hf_cased", {.lowercase = false}},
    {"google_uncased", {.profile = BertProfile::kGoogle}},
    {"google_cased", {.lowercase = false, .profile = BertProfile::kGoogle}},
};

// Defect: a character that is deleted, split, lower-cased or freed of its accents otherwise than by
// the reference.
TEST(BertWords, EveryCharacterBecomesThatOfTheReference) {
  const auto reference = read_fixture("bert_words.json");
  for (const Kind& kind : kKinds) {
    const Splitter splitter(kind.options);
    expect_digests([&](const std::string& text) { return splitter.words(text); },
                   reference[kind.name]["digests"], kind.name);
  }
}

// Defect: what depends on neighbouring characters is wrong: the order of marks, a sigma
// at a word's end.
TEST(BertWords, TextsBecomeThoseOfTheReference) {
  const auto reference = read_fixture("bert_words.json");
  for (const Kind& kind : kKinds) {
    if (kind.options.profile != BertProfile::kGoogle) continue;  // hf: in the tests of ids
    const Splitter splitter(kind.options);
    const auto& cases = reference[kind.name]["words"];
    EXPECT_GT(cases.size(), 100u);
    for (const auto& expected : cases) {
      EXPECT_EQ(splitter.words(expected["text"].get<std::string>()), expected["words"].get<Words>())
          << kind.name << ": " << expected["text"];
    }
  }
}

// Defect: an option has the effect of another one, or accents do not follow lowercase by default.
TEST(BertNormalizer, EachOptionDoesItsPart) {
  const std::string text =
      "\xC3\x89\x01\t\xE4\xB8\xAD";  // É, a control, a tab, a Chinese character
  const BertNormalizerOptions off = {false, false, false, false};
  EXPECT_EQ(normal(off, text), text);
  EXPECT_EQ(normal({true, false, false, false}, text), "\xC3\x89 \xE4\xB8\xAD");
  EXPECT_EQ(normal({false, true, false, false}, text), "\xC3\x89\x01\t \xE4\xB8\xAD ");
  EXPECT_EQ(normal({false, false, true, false}, text), "E\x01\t\xE4\xB8\xAD");
  EXPECT_EQ(normal({false, false, false, true}, text), "\xC3\xA9\x01\t\xE4\xB8\xAD");
  EXPECT_EQ(normal({false, false, std::nullopt, true}, text), "e\x01\t\xE4\xB8\xAD");
  EXPECT_EQ(normal({false, false, std::nullopt, false}, text), text);
}

// Defect: bytes that are not UTF-8 kept, or valid characters beside them lost.
TEST(BertNormalizer, InvalidBytesCountAsReplacementCharacters) {
  EXPECT_EQ(normal({},
                   "A\xFF"
                   "B\xC3"),
            "ab");
  EXPECT_EQ(normal({.clean_text = false},
                   "A\xFF"
                   "B\xC3"),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
}

// Defect: time that grows with the square of a run of marks, or of what may stand behind a sigma.
TEST(BertNormalizer, LongRunsOfMarksTakeNoTime) {
  std::string marks = "a";
  for (int i = 0; i < 300000; ++i) marks += i % 2 == 0 ? "\xE3\x80\xAE" : "\xF0\x9D\x85\xA5";
  EXPECT_EQ(normal({}, marks).size(), 1 + 150000u * 7);
  std::string sigmas;
  for (int i = 0; i < 300000; ++i) sigmas += "\xCE\xA3\xCC\x81";
  EXPECT_EQ(normal({.profile = BertProfile::kGoogle}, sigmas).size(), 600000u);
}

// Defect: a component that does not survive being written.
TEST(BertNormalizer, IsWrittenAsItIsRead) {
  for (const Kind& kind : kKinds) {
    const BertNormalizer normalizer(kind.options);
    const auto again = parse_normalizer(nlohmann::json::parse(normalizer.to_json()), "x");
    EXPECT_EQ(again->to_json(), normalizer.to_json());
    const BertPreTokenizer splitter(kind.options.profile);
    EXPECT_EQ(parse_pre_tokenizer(nlohmann::json::parse(splitter.to_json()), "x")->to_json(),
              splitter.to_json());
  }
}

}  // namespace
}  // namespace lmtrain

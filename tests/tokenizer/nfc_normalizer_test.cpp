#include "data/tokenizer/nfc_normalizer.h"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/tokenizer/digest.h"
#include "tests/tokenizer/fixture.h"

namespace lmtrain {
namespace {

std::string nfc(std::string_view text) {
  std::string storage;
  return std::string(NfcNormalizer().normalize(text, storage));
}

// Defect: a character that composes, decomposes or is ordered otherwise than by the reference.
TEST(NfcNormalizer, EveryCharacterBecomesThatOfTheReference) {
  expect_digests([](const std::string& text) { return std::vector{nfc(text)}; },
                 read_fixture("nfc.json")["digests"], "NFC");
}

// Defect: marks that change places or stay apart, Hangul, a part of a text cut where it changes.
TEST(NfcNormalizer, TextsBecomeThoseOfTheReference) {
  const auto cases = read_fixture("nfc.json")["texts"];
  ASSERT_GT(cases.size(), 100u);
  for (const auto& expected : cases) {
    EXPECT_EQ(nfc(expected[0].get<std::string>()), expected[1]) << expected[0];
  }
}

// Defect: text in normal form copied, which would cost a second time its size.
TEST(NfcNormalizer, NormalTextIsLeftWhereItIs) {
  const std::string text = "plain, \xC3\xA9t\xC3\xA9 \xED\x95\x9C \xFF";
  std::string storage;
  EXPECT_EQ(NfcNormalizer().normalize(text, storage).data(), text.data());
}

// Defect: bytes that are not UTF-8 lost, or marks composed across them.
TEST(NfcNormalizer, InvalidBytesStay) {
  EXPECT_EQ(nfc("e\xFF\xCC\x81"), "e\xFF\xCC\x81");
  EXPECT_EQ(nfc("e\xCC\x81\xFF"
                "e\xCC\x81\xCC"),
            "\xC3\xA9\xFF\xC3\xA9\xCC");
}

// Defect: time that grows with the square of a run of marks.
TEST(NfcNormalizer, LongRunsOfMarksTakeNoTime) {
  std::string text = "a";
  for (int i = 0; i < 300000; ++i) text += i % 2 == 0 ? "\xCC\x81" : "\xCC\xA3";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(nfc(text).substr(0, 3), "\xE1\xBA\xA1");  // the dots below come first
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  EXPECT_LT(seconds.count(), 10.0);  // about 0.02 s
}

// Defect: normalisers in another order, or one that finds its text gone.
TEST(NormalizerSequence, DoesOneAfterTheOther) {
  const auto parse = [](const char* json) {
    return parse_normalizer(nlohmann::json::parse(json), "x");
  };
  const auto sequence = parse(
      R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"BertNormalizer",
          "clean_text":true,"handle_chinese_chars":true,"strip_accents":false,"lowercase":true},
          {"type":"NFC"}]})");
  std::string storage = "before";
  EXPECT_EQ(sequence->normalize("E\xCC\x81", storage), "\xC3\xA9");
  EXPECT_EQ(sequence->normalize("ABC", storage), "abc");
  EXPECT_EQ(parse(sequence->to_json().c_str())->to_json(), sequence->to_json());
  const auto empty = parse(R"({"type":"Sequence","normalizers":[]})");
  EXPECT_EQ(empty->normalize("ABC", storage), "ABC");
}

}  // namespace
}  // namespace lmtrain

#include "base/utf8.h"

#include <string>

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: ill-formed bytes taken for text, or reported at the wrong place.
TEST(Utf8, FindsTheFirstIllFormedByte) {
  const std::string good = "plain ascii, \xC3\xA4, \xE2\x82\xAC, \xF0\x9F\x98\x80.";
  EXPECT_EQ(find_invalid_utf8(good), good.size());
  const std::string stray = "\x80";
  const std::string overlong = "\xC0\xAF";
  const std::string surrogate = "\xED\xA0\x80";
  const std::string too_large = "\xF4\x90\x80\x80";
  const std::string cut = "\xE2\x82";
  for (const std::string& bad : {stray, overlong, surrogate, too_large, cut}) {
    EXPECT_EQ(find_invalid_utf8(good + bad), good.size());
    EXPECT_EQ(find_invalid_utf8(good + bad + " more than eight ascii bytes"), good.size());
  }
}

// Defect: the fast path for eight ASCII bytes reads or skips past the end.
TEST(Utf8, EveryLengthAndPlaceOfABadByte) {
  for (size_t length = 1; length < 40; ++length) {
    for (size_t bad = 0; bad < length; ++bad) {
      std::string text(length, 'a');
      text[bad] = '\xFF';
      EXPECT_EQ(find_invalid_utf8(text), bad);
    }
  }
}

// Defect: bytes that break a terminal or a reader of logs, or valid text that is changed.
TEST(Utf8, IsShownWithAReplacementForEachInvalidPart) {
  EXPECT_EQ(shown_as_utf8("a\xC3\xA9z"), "a\xC3\xA9z");
  EXPECT_EQ(shown_as_utf8(""), "");
  // As bytes.decode("utf-8", "replace") of Python.
  const std::string sign = "\xEF\xBF\xBD";
  EXPECT_EQ(shown_as_utf8("\xADx\xF0\x9F"), sign + "x" + sign);
  EXPECT_EQ(shown_as_utf8("\xE5\xAE\xE6\x91"
                          "c"),
            sign + sign + "c");
  EXPECT_EQ(shown_as_utf8("\xED\xA0\x80"), sign + sign + sign);
  EXPECT_EQ(shown_as_utf8("\xF4\x90\x80\x80"), sign + sign + sign + sign);
  EXPECT_EQ(shown_as_utf8("\xC0\xAF"), sign + sign);
}

}  // namespace
}  // namespace lmtrain

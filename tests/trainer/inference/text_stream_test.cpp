#include "trainer/inference/text_stream.h"

#include <utility>

#include <gtest/gtest.h>

#include "base/utf8.h"
#include "data/tokenizer/bpe_trainer.h"

namespace lmtrain {
namespace {

// Every byte is a token of its own.
Tokenizer bytes() {
  bool is_read = false;
  const NextDocument one = [&](std::string_view& document) {
    document = "x";
    return !std::exchange(is_read, true);
  };
  return train_bpe(one, {.vocab_size = 257}, [](double) {});
}

struct Streamed {
  std::string text;
  bool has_stopped = false;
};

// Streams the text byte by byte. Every piece must be valid by itself.
Streamed streamed(const std::string& text, const std::vector<std::string>& stops) {
  const Tokenizer tokenizer = bytes();
  std::vector<int32_t> tokens;
  tokenizer.encode(text, tokens);
  EXPECT_EQ(tokens.size(), text.size());
  TextStream stream(tokenizer, stops);
  Streamed result;
  for (const int32_t token : tokens) {
    const std::string piece = stream.add(token);
    EXPECT_EQ(find_invalid_utf8(piece), piece.size()) << piece;
    result.text += piece;
    result.has_stopped = stream.has_stopped();
    if (result.has_stopped) break;
  }
  result.text += stream.finish();
  return result;
}

// Defect: a character of several bytes that is cut in half, lost, or held back to the end.
TEST(TextStream, NeverCutsACharacter) {
  const std::string text = "a \xC3\xA9 \xE4\xBD\xA0\xE5\xA5\xBD \xF0\x9F\x8E\x89.";
  EXPECT_EQ(streamed(text, {}).text, text);
  const Tokenizer tokenizer = bytes();
  std::vector<int32_t> tokens;
  tokenizer.encode("\xE4\xBD\xA0.", tokens);
  TextStream stream(tokenizer, {});
  EXPECT_EQ(stream.add(tokens[0]), "");
  EXPECT_EQ(stream.add(tokens[1]), "");
  EXPECT_EQ(stream.add(tokens[2]), "\xE4\xBD\xA0");
  EXPECT_EQ(stream.add(tokens[3]), ".");
}

// Defect: bytes that are no character are lost, or break the output.
TEST(TextStream, ShowsBytesThatAreNoCharacter) {
  const std::string unknown(kReplacementCharacter);
  EXPECT_EQ(streamed("a\xFFz", {}).text, "a" + unknown + "z");
  EXPECT_EQ(streamed("a\xE4\xBD", {}).text, "a" + unknown);  // the beginning of one character
  EXPECT_EQ(streamed("\x80\x80\x80\x80", {}).text, unknown + unknown + unknown + unknown);
}

// Defect: a stop that is shown in part, found only within one token, or taken for one when it is
// not whole.
TEST(TextStream, EndsBeforeAStop) {
  const Streamed found = streamed("one STOP two", {"STOP"});
  EXPECT_EQ(found.text, "one ");
  EXPECT_TRUE(found.has_stopped);
  const Streamed whole = streamed("one STO", {"STOP"});
  EXPECT_EQ(whole.text, "one STO");
  EXPECT_FALSE(whole.has_stopped);
  EXPECT_EQ(streamed("aab aaab", {"aaab"}).text, "aab ");
  EXPECT_EQ(streamed("x\n\ny", {"y", "\n\n"}).text, "x");
  EXPECT_EQ(streamed("x\xE4\xBD\xA0y", {"\xE4\xBD\xA0"}).text, "x");
}

}  // namespace
}  // namespace lmtrain

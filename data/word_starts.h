// Where words begin in a sequence of tokens, for masking whole words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/tokenizer.h"

namespace lmtrain {

// WordPiece says so itself. In byte-level BPE a token continues a word when its first character is
// a letter or a number as the last one before it was, or when it starts within a character. A
// Chinese, Japanese or Korean ideograph is a word of its own in both.
class WordStarts {
 public:
  explicit WordStarts(const Tokenizer& tokenizer);

  bool continues_word(int32_t previous, int32_t token) const;

 private:
  // What a token begins and ends with.
  enum class Edge : uint8_t { kApart, kLetter, kNumber, kWithinCharacter, kContinuation };
  struct Edges {
    Edge first = Edge::kApart;
    Edge last = Edge::kApart;
  };
  static Edges edges_of(std::string_view bytes);

  std::vector<Edges> edges_;
};

}  // namespace lmtrain

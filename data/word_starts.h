// Where words begin in a sequence of tokens, for masking whole words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/tokenizer.h"

namespace lmtrain {

// WordPiece marks the tokens that continue a word. In byte-level BPE a token continues a word when
// its first character is of the same kind, letter or number, as the last character of the previous
// token, or when it starts within a character. In both, a Chinese, Japanese or Korean ideograph is
// a word of its own.
class WordStarts {
 public:
  explicit WordStarts(const Tokenizer& tokenizer);

  bool continues_word(int32_t previous, int32_t token) const;

 private:
  // The kind of character that a token begins and ends with.
  enum class Edge : uint8_t { kApart, kLetter, kNumber, kWithinCharacter, kContinuation };
  struct Edges {
    Edge first = Edge::kApart;
    Edge last = Edge::kApart;
  };
  static Edges edges_of(std::string_view bytes);

  std::vector<Edges> edges_;
};

}  // namespace lmtrain

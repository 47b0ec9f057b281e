// The text of tokens as they come, for a reader who does not wait for the last of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"

namespace lmtrain {

class TextStream {
 public:
  // The text ends before the first of `stops` that comes; none is empty.
  TextStream(const Tokenizer& tokenizer, std::vector<std::string> stops);

  // Adds a token. Returns the text that is certain by now and was not returned before: it never
  // ends within a character, nor within what may become a stop.
  std::string add(int32_t token);
  // Returns the rest at the end of the text, with U+FFFD for bytes that are no character.
  std::string finish();
  bool has_stopped() const { return has_stopped_; }

 private:
  std::string up_to(size_t end);

  const Tokenizer& tokenizer_;
  std::vector<std::string> stops_;
  std::vector<int32_t> tokens_;
  std::string text_;         // of all tokens, up to a stop
  size_t num_returned_ = 0;  // bytes of it
  bool has_stopped_ = false;
};

}  // namespace lmtrain

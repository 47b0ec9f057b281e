#include "trainer/inference/text_stream.h"

#include <algorithm>

#include "base/utf8.h"

namespace lmtrain {
namespace {

// The bytes at the end of the text that may be the beginning of a character.
size_t num_unfinished(std::string_view text) {
  constexpr size_t kLongest = 4;
  for (size_t count = 1; count < kLongest && count <= text.size(); ++count) {
    const auto byte = static_cast<unsigned char>(text[text.size() - count]);
    if (byte < 0x80) return 0;
    if (byte < 0xC0) continue;  // within a character
    const size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
    return length > count ? count : 0;
  }
  return 0;
}

// The bytes at the end of the text with which `stop` begins.
size_t num_of_beginning(std::string_view text, std::string_view stop) {
  for (size_t count = std::min(text.size(), stop.size() - 1); count > 0; --count) {
    if (text.ends_with(stop.substr(0, count))) return count;
  }
  return 0;
}

}  // namespace

TextStream::TextStream(const Tokenizer& tokenizer, std::vector<std::string> stops)
    : tokenizer_(tokenizer), stops_(std::move(stops)) {}

std::string TextStream::add(int32_t token) {
  if (has_stopped_) return "";
  tokens_.push_back(token);
  // What a token adds may depend on those before it, so the whole text is decoded again.
  text_ = tokenizer_.decode(tokens_);
  size_t end = text_.size();
  for (const std::string& stop : stops_) {
    const size_t at = text_.find(stop, num_returned_);
    if (at == std::string::npos) continue;
    has_stopped_ = true;
    end = std::min(end, at);
  }
  if (has_stopped_) {
    text_.resize(end);
    return finish();
  }
  size_t kept = num_unfinished(text_);
  for (const std::string& stop : stops_) kept = std::max(kept, num_of_beginning(text_, stop));
  return up_to(text_.size() - kept);
}

std::string TextStream::finish() { return up_to(text_.size()); }

std::string TextStream::up_to(size_t end) {
  if (end <= num_returned_) return "";
  const std::string_view more = std::string_view(text_).substr(num_returned_, end - num_returned_);
  num_returned_ = end;
  return shown_as_utf8(more);
}

}  // namespace lmtrain

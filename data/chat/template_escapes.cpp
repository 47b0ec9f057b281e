#include <algorithm>
#include <array>
#include <cstdio>

#include "base/text.h"
#include "data/chat/template_budget.h"
#include "data/chat/template_lexer.h"
#include "data/chat/template_text.h"

namespace lmtrain {
namespace {

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

class Unescaper {
 public:
  Unescaper(std::string_view inside, int line) : inside_(inside), line_(line) {}

  std::string run() {
    while (at_ < inside_.size()) {
      if (inside_[at_] == '\\' && at_ + 1 < inside_.size()) {
        ++at_;
        escape();
      } else {
        text_ += inside_[at_++];
      }
    }
    return std::move(text_);
  }

 private:
  void escape() {
    static constexpr std::string_view kNames = "abfnrtv\\'\"";
    static constexpr std::string_view kCharacters = "\a\b\f\n\r\t\v\\'\"";
    const char c = inside_[at_];
    const size_t named = kNames.find(c);
    if (named != std::string_view::npos) {
      text_ += kCharacters[named];
      ++at_;
    } else if (c == '\n') {
      ++at_;  // the line goes on
    } else if (c >= '0' && c <= '7') {
      add(number(8, 3, 1));
    } else if (c == 'x' || c == 'u' || c == 'U') {
      ++at_;
      const size_t num_digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
      add(number(16, num_digits, num_digits));
    } else if (c == 'N') {
      throw TemplateFault("the escape \\N of a string is not covered", line_);
    } else {
      unknown();
    }
  }

  // What Python does not know stays as it is. Jinja escapes characters beyond ASCII before Python
  // reads the string, so that after a backslash their numbers are left.
  void unknown() {
    text_ += '\\';
    const char32_t character = next_character(inside_, at_);
    if (character < 0x80) {
      text_ += static_cast<char>(character);
      return;
    }
    std::array<char, 16> buffer;
    const char* format = character < 0x100 ? "x%02x" : character < 0x10000 ? "u%04x" : "U%08x";
    const int size =
        std::snprintf(buffer.data(), buffer.size(), format, static_cast<unsigned>(character));
    text_.append(buffer.data(), static_cast<size_t>(size));
  }

  char32_t number(int base, size_t most_digits, size_t least_digits) {
    char32_t value = 0;
    size_t count = 0;
    while (count < most_digits && at_ < inside_.size() && digit_value(inside_[at_]) < base) {
      value =
          value * static_cast<char32_t>(base) + static_cast<char32_t>(digit_value(inside_[at_]));
      ++at_;
      ++count;
    }
    if (count < least_digits) throw TemplateFault("a string has an escape that is cut off", line_);
    return value;
  }

  void add(char32_t character) {
    if (character > 0x10FFFF || (character >= 0xD800 && character <= 0xDFFF)) {
      throw TemplateFault("a string has an escape that is no character of Unicode", line_);
    }
    append_character(text_, character);
  }

  std::string_view inside_;
  int line_;
  size_t at_ = 0;
  std::string text_;
};

}  // namespace

std::string unescaped(std::string_view inside, int line) { return Unescaper(inside, line).run(); }

}  // namespace lmtrain

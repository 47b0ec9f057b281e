#include "data/chat/template_lexer.h"

#include <algorithm>

#include "base/strict_json.h"
#include "base/text.h"
#include "data/chat/template_budget.h"
#include "data/chat/template_text.h"

namespace lmtrain {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// All ends of lines as \n, and no such end at the end of the template.
std::string with_plain_lines(std::string_view source) {
  std::string lines;
  for (size_t at = 0; at < source.size(); ++at) {
    const bool is_pair = source[at] == '\r' && at + 1 < source.size() && source[at + 1] == '\n';
    if (!is_pair) lines += source[at] == '\r' ? '\n' : source[at];
  }
  if (lines.ends_with('\n')) lines.pop_back();
  return lines;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(with_plain_lines(source)) {}

  std::vector<TemplateToken> run() {
    while (at_ < source_.size()) {
      const size_t tag = find_tag();
      if (tag == std::string::npos) {
        add(TokenKind::kText, std::string(rest()));
        break;
      }
      read_text_before(tag);
      read_tag();
    }
    add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const { throw TemplateFault(problem, line_); }

  std::string_view rest() const { return std::string_view(source_).substr(at_); }
  bool is_at(std::string_view text) const { return rest().starts_with(text); }
  char at(size_t place) const { return place < source_.size() ? source_[place] : '\0'; }

  void add(TokenKind kind, std::string text) {
    if (kind == TokenKind::kText && text.empty()) return;
    tokens_.push_back({kind, std::move(text), line_});
  }
  void advance_to(size_t place) {
    const auto begin = source_.begin() + static_cast<ptrdiff_t>(at_);
    const auto end = source_.begin() + static_cast<ptrdiff_t>(place);
    line_ += static_cast<int>(std::count(begin, end, '\n'));
    at_ = place;
  }
  void skip_space() { advance_to(at_ + leading_space(rest())); }

  size_t find_tag() const {
    for (size_t at = source_.find('{', at_); at != std::string::npos;
         at = source_.find('{', at + 1)) {
      const char next = this->at(at + 1);
      if (next == '{' || next == '%' || next == '#') return at;
    }
    return std::string::npos;
  }

  // Adds the text up to the tag, without the white space that the tag removes.
  void read_text_before(size_t tag) {
    std::string_view text = std::string_view(source_).substr(at_, tag - at_);
    const char sign = at(tag + 2);
    if (sign == '-') {
      text = text.substr(0, size_without_trailing_space(text));
    } else if (sign != '+' && at(tag + 1) != '{') {
      const size_t line_begin = text.rfind('\n') + 1;  // 0 where there is no end of a line
      const bool is_line_begin = line_begin > 0 || is_line_starting_;
      if (is_line_begin && leading_space(text.substr(line_begin)) == text.size() - line_begin) {
        text = text.substr(0, line_begin);
      }
    }
    add(TokenKind::kText, std::string(text));
    advance_to(tag);
  }

  void read_tag() {
    const char kind = at(at_ + 1);
    const char sign = at(at_ + 2);
    const size_t inside = at_ + (sign == '-' || sign == '+' ? 3 : 2);
    if (kind == '#') return read_comment(inside);
    if (kind == '%' && read_raw(inside)) return;
    add(kind == '{' ? TokenKind::kOutputBegin : TokenKind::kBlockBegin, "");
    advance_to(inside);
    read_code(kind == '{');
  }

  // Moves behind the end of a tag and what it removes. Returns false where no end is.
  bool read_end(std::string_view end, bool is_output) {
    const bool has_sign = is_at("-") || (is_at("+") && !is_output);
    if (!rest().substr(has_sign ? 1 : 0).starts_with(end)) return false;
    const char sign = has_sign ? at(at_) : '\0';
    const size_t begin = at_;
    advance_to(at_ + end.size() + (has_sign ? 1 : 0));
    if (sign == '-') {
      skip_space();
    } else if (sign == '\0' && !is_output && is_at("\n")) {
      advance_to(at_ + 1);
    }
    is_line_starting_ = at_ > begin && source_[at_ - 1] == '\n';
    return true;
  }

  void read_comment(size_t inside) {
    size_t end = source_.find("#}", inside);
    if (end == std::string::npos) fail("a comment has no end");
    if (end > inside && (at(end - 1) == '-' || at(end - 1) == '+')) --end;
    advance_to(end);
    read_end("#}", false);
  }

  // Reads {% raw %}, its text and {% endraw %}; returns false where the tag is another.
  bool read_raw(size_t inside) {
    size_t at = tag_word(inside, "raw");
    if (at == std::string::npos) return false;
    const bool strips = this->at(at) == '-';
    if (strips) ++at;
    if (source_.compare(at, 2, "%}") != 0) return false;
    advance_to(at + 2);
    if (strips) skip_space();
    is_line_starting_ = source_[at_ - 1] == '\n';
    for (size_t tag = source_.find("{%", at_); tag != std::string::npos;
         tag = source_.find("{%", tag + 1)) {
      if (read_end_of_raw(tag)) return true;
    }
    fail("a raw block has no end");
  }

  bool read_end_of_raw(size_t tag) {
    const char sign = at(tag + 2);
    const size_t end = tag_word(tag + (sign == '-' || sign == '+' ? 3 : 2), "endraw");
    if (end == std::string::npos) return false;
    const size_t sign_size = at(end) == '-' || at(end) == '+' ? 1 : 0;
    if (source_.compare(end + sign_size, 2, "%}") != 0) return false;
    read_text_before(tag);
    advance_to(end);
    return read_end("%}", false);
  }

  // Where the tag's inside is `word`, returns the place behind it and the white space around it.
  size_t tag_word(size_t inside, std::string_view word) const {
    const std::string_view source = source_;
    const size_t begin = inside + leading_space(source.substr(inside));
    if (!source.substr(begin).starts_with(word)) return std::string::npos;
    const size_t end = begin + word.size();
    return end + leading_space(source.substr(end));
  }

  void read_code(bool is_output) {
    const std::string_view end = is_output ? "}}" : "%}";
    while (at_ < source_.size()) {
      if (open_.empty() && is_end(end, is_output)) {
        add(is_output ? TokenKind::kOutputEnd : TokenKind::kBlockEnd, "");
        read_end(end, is_output);
        return;
      }
      const size_t space = leading_space(rest());
      if (space > 0) {
        advance_to(at_ + space);
      } else {
        read_token();
      }
    }
  }
  bool is_end(std::string_view end, bool is_output) const {
    const bool has_sign = is_at("-") || (is_at("+") && !is_output);
    return rest().substr(has_sign ? 1 : 0).starts_with(end);
  }

  void read_token() {
    const char c = source_[at_];
    if (is_digit(c)) return read_number();
    if (c == '"' || c == '\'') return read_string(c);
    size_t end = at_;
    while (is_name_character(at(end))) ++end;
    if (end > at_) return take(TokenKind::kName, end);
    read_operator();
  }

  void take(TokenKind kind, size_t end) {
    add(kind, source_.substr(at_, end - at_));
    advance_to(end);
  }

  void read_string(char quote) {
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail(cat("the string that begins at ", quote, " has no end"));
    add(TokenKind::kString,
        unescaped(std::string_view(source_).substr(at_ + 1, end - at_ - 1), line_));
    advance_to(end + 1);
  }

  // The end of digits of `kinds`, which single underscores may separate.
  size_t digits_end(size_t begin, std::string_view kinds) const {
    const auto is_one = [&](size_t place) {
      return place < source_.size() && kinds.find(source_[place]) != std::string_view::npos;
    };
    size_t end = begin;
    while (is_one(end) || (end > begin && at(end) == '_' && is_one(end + 1))) ++end;
    return end;
  }

  void read_number() {
    static constexpr std::string_view kDigits = "0123456789";
    const size_t whole = digits_end(at_, kDigits);
    size_t end = whole;
    if (at(end) == '.' && is_digit(at(end + 1))) end = digits_end(end + 1, kDigits);
    if (at(end) == 'e' || at(end) == 'E') {
      const size_t sign = at(end + 1) == '+' || at(end + 1) == '-' ? 1 : 0;
      if (is_digit(at(end + 1 + sign))) end = digits_end(end + 1 + sign, kDigits);
    }
    // "a.1.2" has indices, not the number 1.2.
    const bool is_behind_dot = at_ > 0 && source_[at_ - 1] == '.';
    if (end > whole && !is_behind_dot) return take(TokenKind::kFloat, end);
    if (source_[at_] != '0') return take(TokenKind::kInteger, whole);
    if (std::string_view("bBoOxX").find(at(at_ + 1)) != std::string_view::npos &&
        at(at_ + 1) != 0) {
      fail("an integer of another base than 10 is not covered");
    }
    take(TokenKind::kInteger, digits_end(at_, "0"));
  }

  void read_operator() {
    static constexpr std::string_view kDouble[] = {"//", "**", "==", "!=", ">=", "<="};
    static constexpr std::string_view kSingle = "+-/*%~[](){}><=.:|,;";
    for (const std::string_view name : kDouble) {
      if (is_at(name)) return take(TokenKind::kOperator, at_ + 2);
    }
    const char c = source_[at_];
    if (kSingle.find(c) == std::string_view::npos || c == '\0') {
      size_t end = at_;
      next_character(source_, end);
      fail(cat("the character ", show_text(source_.substr(at_, end - at_)), " is unexpected"));
    }
    balance(c);
    take(TokenKind::kOperator, at_ + 1);
  }

  // Within brackets, what looks like the end of a tag is none.
  void balance(char c) {
    static constexpr std::string_view kOpening = "([{";
    static constexpr std::string_view kClosing = ")]}";
    if (kOpening.find(c) != std::string_view::npos) open_ += kClosing[kOpening.find(c)];
    if (kClosing.find(c) == std::string_view::npos) return;
    if (!open_.ends_with(c)) fail(cat("'", c, "' closes nothing"));
    open_.pop_back();
  }

  std::string source_;
  size_t at_ = 0;
  int line_ = 1;
  bool is_line_starting_ = true;  // what came before ended with the end of a line
  std::string open_;              // the brackets that close the open ones
  std::vector<TemplateToken> tokens_;
};

}  // namespace

std::vector<TemplateToken> template_tokens(std::string_view source) { return Lexer(source).run(); }

}  // namespace lmtrain

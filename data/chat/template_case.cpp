// Case of letters, and numbers as text.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "data/chat/template_budget.h"
#include "data/chat/template_text.h"

namespace lmtrain {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_letter(char c) { return is_lower(c) || is_upper(c); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char to_upper(char c) { return is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c; }
char to_lower(char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; }

// Whether no character of that part of Unicode has case: signs, East Asian scripts, emoji.
bool has_no_case(char32_t character) {
  return character < 0x80 || (character >= 0x2000 && character <= 0x206F) ||
         (character >= 0x20A0 && character <= 0x20CF) ||
         (character >= 0x2190 && character <= 0x23FF) ||
         (character >= 0x2500 && character <= 0x2BFF) ||
         (character >= 0x2E80 && character <= 0xA63F) ||
         (character >= 0xAC00 && character <= 0xD7A3) ||
         (character >= 0xF900 && character <= 0xFAFF) || character == 0xFF0C ||
         (character >= 0x1F200 && character <= 0x1FAFF) ||
         (character >= 0x20000 && character <= 0x3FFFF);
}

void require_no_other_case(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (!has_no_case(next_character(text, at))) {
      throw TemplateFault("changing the case of letters beyond ASCII is not covered");
    }
  }
}

// Reads digits, which single underscores may separate. Returns their number of bytes.
size_t read_digits(std::string_view text, std::string& digits) {
  size_t at = 0;
  while (at < text.size() && (is_digit(text[at]) || text[at] == '_')) {
    if (text[at] == '_' && (at == 0 || at + 1 == text.size() || !is_digit(text[at + 1]))) break;
    if (text[at] != '_') digits += text[at];
    ++at;
  }
  return at;
}

std::string_view without_space(std::string_view text) {
  text.remove_prefix(leading_space(text));
  return text.substr(0, size_without_trailing_space(text));
}

// Takes a sign from the front of the text.
std::string take_sign(std::string_view& text) {
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return "";
  const bool is_negative = text[0] == '-';
  text.remove_prefix(1);
  return is_negative ? "-" : "";
}

std::optional<double> read_named_float(std::string_view text, bool is_negative) {
  std::string name;
  for (const char c : text.substr(0, 9)) name += to_lower(c);
  if (name == "nan") return std::nan("");
  if (name != "inf" && name != "infinity") return std::nullopt;
  return is_negative ? -HUGE_VAL : HUGE_VAL;
}

}  // namespace

std::string upper_text(std::string_view text) {
  require_no_other_case(text);
  std::string result;
  for (const char c : text) result += to_upper(c);
  return result;
}

std::string lower_text(std::string_view text) {
  require_no_other_case(text);
  std::string result;
  for (const char c : text) result += to_lower(c);
  return result;
}

std::string capitalized_text(std::string_view text) {
  std::string result = lower_text(text);
  if (!result.empty()) result[0] = to_upper(result[0]);
  return result;
}

std::string title_text(std::string_view text) {
  require_no_other_case(text);
  std::string result;
  bool is_in_word = false;
  for (const char c : text) {
    result += is_in_word ? to_lower(c) : to_upper(c);
    is_in_word = is_letter(c);
  }
  return result;
}

std::string title_filter_text(std::string_view text) {
  require_no_other_case(text);
  std::string result;
  bool is_in_word = false;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t character = next_character(text, at);
    for (const char c : text.substr(begin, at - begin)) {
      result += is_in_word ? to_lower(c) : to_upper(c);
    }
    is_in_word = !is_python_space(character) &&
                 (character >= 0x80 || std::string_view("-({[<").find(
                                           static_cast<char>(character)) == std::string::npos);
  }
  return result;
}

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 400> buffer;
  const auto written = [&](std::chars_format format) {
    char* const end =
        std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format).ptr;
    return std::string(buffer.data(), end);
  };
  std::string scientific = written(std::chars_format::scientific);
  const int exponent = std::atoi(scientific.c_str() + scientific.find('e') + 1);
  if (exponent < -4 || exponent >= 16) return scientific;
  const std::string plain = written(std::chars_format::fixed);
  return plain.find('.') == std::string::npos ? plain + ".0" : plain;
}

std::optional<int64_t> read_integer(std::string_view text) {
  text = without_space(text);
  std::string number = take_sign(text);
  const size_t sign_size = number.size();
  if (read_digits(text, number) != text.size() || number.size() == sign_size) return std::nullopt;
  int64_t value = 0;
  const auto result = std::from_chars(number.data(), number.data() + number.size(), value);
  if (result.ec != std::errc()) throw TemplateFault("an integer has more than 64 bits");
  return value;
}

std::optional<double> read_float(std::string_view text) {
  text = without_space(text);
  std::string number = take_sign(text);
  if (!text.empty() && is_letter(text[0])) return read_named_float(text, !number.empty());
  size_t num_digits = read_digits(text, number);
  text.remove_prefix(num_digits);
  if (text.starts_with('.')) {
    number += '.';
    text.remove_prefix(1);
    const size_t num_behind = read_digits(text, number);
    text.remove_prefix(num_behind);
    num_digits += num_behind;
  }
  if (num_digits == 0) return std::nullopt;
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    number += 'e';
    number += take_sign(text);
    const size_t num_of_exponent = read_digits(text, number);
    if (num_of_exponent == 0) return std::nullopt;
    text.remove_prefix(num_of_exponent);
  }
  if (!text.empty()) return std::nullopt;
  double value = 0;
  const auto result = std::from_chars(number.data(), number.data() + number.size(), value);
  if (result.ec != std::errc()) throw TemplateFault("a number is beyond the range of a float");
  return value;
}

}  // namespace lmtrain

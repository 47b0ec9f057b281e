#include "data/chat/template_text.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace lmtrain {
namespace {

bool is_line_end(char32_t character) {
  return (character >= 0x0A && character <= 0x0D) || (character >= 0x1C && character <= 0x1E) ||
         character == 0x85 || character == 0x2028 || character == 0x2029;
}

// The offset of the character before `end`.
size_t previous_character(std::string_view text, size_t end) {
  size_t at = end - 1;
  while (at > 0 && !starts_character(text[at])) --at;
  return at;
}

std::string reversed_bytes(std::string_view text) { return {text.rbegin(), text.rend()}; }

// For each beginning of the text, the longest shorter beginning with which it ends.
std::vector<size_t> borders_of(std::string_view text) {
  std::vector<size_t> borders(text.size(), 0);
  size_t length = 0;
  for (size_t at = 1; at < text.size(); ++at) {
    while (length > 0 && text[at] != text[length]) length = borders[length - 1];
    if (text[at] == text[length]) ++length;
    borders[at] = length;
  }
  return borders;
}

}  // namespace

char32_t next_character(std::string_view text, size_t& at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  char32_t character = length == 1 ? first : first & (0x7FU >> length);
  const size_t end = std::min(at + length, text.size());
  for (++at; at < end; ++at) {
    character = (character << 6) | (static_cast<unsigned char>(text[at]) & 0x3FU);
  }
  return character;
}

void append_character(std::string& text, char32_t character) {
  const auto add = [&](char32_t byte) { text += static_cast<char>(byte); };
  if (character < 0x80) return add(character);
  if (character < 0x800) {
    add(0xC0 | (character >> 6));
  } else {
    if (character < 0x10000) {
      add(0xE0 | (character >> 12));
    } else {
      add(0xF0 | (character >> 18));
      add(0x80 | ((character >> 12) & 0x3F));
    }
    add(0x80 | ((character >> 6) & 0x3F));
  }
  add(0x80 | (character & 0x3F));
}

std::vector<size_t> character_offsets(std::string_view text) {
  std::vector<size_t> offsets;
  for (size_t at = 0; at < text.size(); ++at) {
    if (starts_character(text[at])) offsets.push_back(at);
  }
  offsets.push_back(text.size());
  return offsets;
}

bool is_python_space(char32_t character) {
  return (character >= 0x09 && character <= 0x0D) || (character >= 0x1C && character <= 0x20) ||
         character == 0x85 || character == 0xA0 || character == 0x1680 ||
         (character >= 0x2000 && character <= 0x200A) || character == 0x2028 ||
         character == 0x2029 || character == 0x202F || character == 0x205F || character == 0x3000;
}

size_t leading_space(std::string_view text) {
  size_t at = 0;
  for (size_t next = 0; at < text.size(); at = next) {
    if (!is_python_space(next_character(text, next))) break;
  }
  return at;
}

size_t size_without_trailing_space(std::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    const size_t begin = previous_character(text, end);
    size_t at = begin;
    if (!is_python_space(next_character(text, at))) break;
    end = begin;
  }
  return end;
}

std::string stripped(std::string_view text, StripSide side,
                     const std::optional<std::string>& characters) {
  const auto goes = [&](size_t at) {
    const size_t begin = at;
    const char32_t character = next_character(text, at);
    if (!characters) return is_python_space(character);
    return characters->find(text.substr(begin, at - begin)) != std::string::npos;
  };
  size_t begin = 0;
  while (side != StripSide::kRight && begin < text.size() && goes(begin)) {
    next_character(text, begin);
  }
  size_t end = text.size();
  while (side != StripSide::kLeft && end > begin && goes(previous_character(text, end))) {
    end = previous_character(text, end);
  }
  return std::string(text.substr(begin, end - begin));
}

// The search of Knuth, Morris and Pratt: it never goes back in the text.
size_t find_text(std::string_view text, std::string_view part, size_t from) {
  if (part.empty() || from >= text.size()) return part.empty() ? from : std::string_view::npos;
  if (part.size() == 1) return text.find(part[0], from);
  const std::vector<size_t> borders = borders_of(part);
  size_t matched = 0;
  for (size_t at = from; at < text.size(); ++at) {
    if (matched == 0) at = std::min(text.find(part[0], at), text.size() - 1);
    while (matched > 0 && text[at] != part[matched]) matched = borders[matched - 1];
    if (text[at] == part[matched]) ++matched;
    if (matched == part.size()) return at + 1 - matched;
  }
  return std::string_view::npos;
}

std::vector<std::string> split_at(std::string_view text, std::string_view separator, int64_t limit,
                                  TemplateBudget& budget) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (limit < 0 || std::cmp_less(parts.size(), limit)) {
    const size_t end = find_text(text, separator, begin);
    if (end == std::string_view::npos) break;
    budget.step();
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + separator.size();
  }
  parts.emplace_back(text.substr(begin));
  return parts;
}

std::vector<std::string> split_at_from_right(std::string_view text, std::string_view separator,
                                             int64_t limit, TemplateBudget& budget) {
  std::vector<std::string> parts =
      split_at(reversed_bytes(text), reversed_bytes(separator), limit, budget);
  std::reverse(parts.begin(), parts.end());
  for (std::string& part : parts) std::reverse(part.begin(), part.end());
  return parts;
}

std::vector<std::string> split_at_space(std::string_view text, int64_t limit,
                                        TemplateBudget& budget) {
  std::vector<std::string> parts;
  text.remove_prefix(leading_space(text));
  while (!text.empty()) {
    budget.step();
    if (limit >= 0 && std::cmp_greater_equal(parts.size(), limit)) {
      parts.emplace_back(text);
      break;
    }
    size_t end = 0;
    for (size_t next = 0; end < text.size(); end = next) {
      if (is_python_space(next_character(text, next))) break;
    }
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
    text.remove_prefix(leading_space(text));
  }
  return parts;
}

std::vector<std::string> split_lines(std::string_view text, bool keep_ends,
                                     TemplateBudget& budget) {
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = at;
    if (!is_line_end(next_character(text, at))) continue;
    if (text.substr(end, 2) == "\r\n") ++at;
    budget.step();
    lines.emplace_back(text.substr(begin, (keep_ends ? at : end) - begin));
    begin = at;
  }
  if (begin < text.size()) lines.emplace_back(text.substr(begin));
  return lines;
}

size_t num_replaced(std::string_view text, std::string_view old_text, int64_t limit) {
  size_t count = 0;
  if (old_text.empty()) {
    count = static_cast<size_t>(num_characters(text)) + 1;
  } else {
    for (size_t at = find_text(text, old_text, 0); at != std::string_view::npos;
         at = find_text(text, old_text, at + old_text.size())) {
      ++count;
    }
  }
  return limit < 0 ? count : std::min(count, static_cast<size_t>(limit));
}

std::string replaced(std::string_view text, std::string_view old_text, std::string_view new_text,
                     int64_t limit) {
  std::string result;
  size_t begin = 0;
  for (size_t left = num_replaced(text, old_text, limit); left > 0; --left) {
    const size_t at = find_text(text, old_text, begin);
    result.append(text.substr(begin, at - begin)).append(new_text);
    begin = at + old_text.size();
    // Python replaces the empty text once before each character and once at the end.
    if (old_text.empty() && at < text.size()) {
      next_character(text, begin);
      result.append(text.substr(at, begin - at));
    }
  }
  return result.append(text.substr(begin));
}

}  // namespace lmtrain

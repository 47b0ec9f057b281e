// Text as Python sees it: characters are code points, and white space is Unicode's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/chat/template_budget.h"

namespace lmtrain {

// The code point at `at`, which it moves behind that character. `text` is valid UTF-8.
char32_t next_character(std::string_view text, size_t& at);
void append_character(std::string& text, char32_t character);
// The byte offset of each character, and the size of the text at the end.
std::vector<size_t> character_offsets(std::string_view text);

bool is_python_space(char32_t character);
// The bytes of white space at the beginning of the text, and the size without that at the end.
size_t leading_space(std::string_view text);
size_t size_without_trailing_space(std::string_view text);

enum class StripSide { kLeft, kRight, kBoth };
// Removes white space, or the characters of `characters` where it is given.
std::string stripped(std::string_view text, StripSide side,
                     const std::optional<std::string>& characters);

// Finds `part` from `from` on, in time that grows with the text's size alone; npos where it is not.
size_t find_text(std::string_view text, std::string_view part, size_t from);

// At most `limit` splits, any number where it is negative. `separator` is not empty. Each part
// costs a step of the budget.
std::vector<std::string> split_at(std::string_view text, std::string_view separator, int64_t limit,
                                  TemplateBudget& budget);
std::vector<std::string> split_at_from_right(std::string_view text, std::string_view separator,
                                             int64_t limit, TemplateBudget& budget);
std::vector<std::string> split_at_space(std::string_view text, int64_t limit,
                                        TemplateBudget& budget);
std::vector<std::string> split_lines(std::string_view text, bool keep_ends, TemplateBudget& budget);

// The number of places that replace() changes, and the text with them changed.
size_t num_replaced(std::string_view text, std::string_view old_text, int64_t limit);
std::string replaced(std::string_view text, std::string_view old_text, std::string_view new_text,
                     int64_t limit);

// Upper and lower case of ASCII. They throw TemplateFault for letters beyond ASCII that may have
// case.
std::string upper_text(std::string_view text);
std::string lower_text(std::string_view text);
std::string capitalized_text(std::string_view text);
// Python's str.title, and Jinja's filter of that name, which differs at apostrophes and digits.
std::string title_text(std::string_view text);
std::string title_filter_text(std::string_view text);

// The number as Python's repr prints it: "1.0", "1e+16".
std::string float_text(double value);
// What Python's int() and float() read, nothing where the text is not a number.
std::optional<int64_t> read_integer(std::string_view text);
std::optional<double> read_float(std::string_view text);

}  // namespace lmtrain

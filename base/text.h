// Small text helpers: building messages, readable quantities, the nearest known name.
#pragma once

#include <cstdint>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace lmtrain {

// Concatenates its arguments as operator<< prints them.
template <class... Parts>
std::string cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

// "1.50": `value` with exactly `digits` digits after the point.
std::string fixed(double value, int digits);

// The shortest decimal text that reads back as the same double ("0.0006", "6e-05").
std::string shortest(double value);

// "00012": at least `width` digits.
std::string zero_padded(int64_t value, size_t width);

// "1.4 GiB"; negative values are not expected.
std::string human_bytes(int64_t bytes);

// "2h05m", "3m20s", "45s".
std::string human_duration(double seconds);

// "12,345,678".
std::string with_commas(int64_t value);

// "1 document", "2,000 documents".
std::string counted(int64_t count, std::string_view noun);

// With ASCII letters in lower or upper case.
std::string in_lower_case(std::string_view text);
std::string in_upper_case(std::string_view text);

// The finite number that `text` is, with nothing around it; nothing where it is none.
std::optional<double> parse_number(std::string_view text);
// The decimal integer that `text` is, with nothing around it; nothing where it is none or does not
// fit.
std::optional<int64_t> parse_integer(std::string_view text);

// Removes the first line from `rest` and returns it without its \n.
std::string_view cut_line(std::string_view& rest);
// Removes the \r of each line where all lines end in \r\n.
void remove_windows_line_ends(std::string& text);

std::string join(const std::vector<std::string>& parts, std::string_view separator);

// Returns the candidate with the smallest edit distance (insert, delete, replace, swap of
// neighbours), or "" when even for that one more than a third of the letters differ.
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

// The words between spaces, tabs and line breaks.
std::vector<std::string> split_words(std::string_view text);

}  // namespace lmtrain

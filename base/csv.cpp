#include "base/csv.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr size_t kLargestField = size_t{1} << 30;

std::string_view without_line_break(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string quoted_where_needed(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char letter : text) {
    if (letter == '"') quoted += '"';
    quoted += letter;
  }
  return quoted + "\"";
}

}  // namespace

CsvRecords::CsvRecords(NextLine next_line, std::string origin, char separator)
    : next_line_(std::move(next_line)), origin_(std::move(origin)), separator_(separator) {}

bool CsvRecords::next(std::vector<std::string>& fields) {
  fields.assign(1, "");
  std::string_view line;
  if (!next_line_(line)) return false;
  first_line_ = ++line_;
  is_quoted_ = false;
  while (true) {
    const std::string_view content = without_line_break(line);
    size_t i = is_quoted_ ? 0 : begin_field(content, 0);
    for (; i < content.size(); ++i) {
      if (is_quoted_ && content[i] != '"') {
        fields.back() += content[i];
      } else if (is_quoted_ && i + 1 < content.size() && content[i + 1] == '"') {
        fields.back() += content[++i];
      } else if (is_quoted_) {
        is_quoted_ = false;
        if (i + 1 < content.size() && content[i + 1] != separator_)
          throw DataError(cat(place(line_), ": text behind the closing quote of a field"));
      } else if (content[i] == separator_) {
        fields.emplace_back();
        i = begin_field(content, i + 1) - 1;
      } else {
        fields.back() += content[i];
      }
    }
    if (!is_quoted_) return true;
    fields.back() += line.substr(content.size());
    if (fields.back().size() > kLargestField)
      throw DataError(
          cat(place(), ": a quoted field is over 1 GiB; its closing quote may be missing"));
    if (!next_line_(line)) throw DataError(cat(place(), ": a quoted field has no end"));
    ++line_;
  }
}

std::string CsvRecords::place() const { return place(first_line_); }
std::string CsvRecords::place(int64_t line) const { return cat(origin_, ":", line); }

// Returns where the field's text begins, after its opening quote if it has one.
size_t CsvRecords::begin_field(std::string_view content, size_t at) {
  is_quoted_ = at < content.size() && content[at] == '"';
  return is_quoted_ ? at + 1 : at;
}

CsvTableReader::CsvTableReader(CsvRecords records) : records_(std::move(records)) {
  if (!records_.next(columns_)) columns_.clear();
}

bool CsvTableReader::next(std::vector<std::string>& fields) {
  do {
    if (!records_.next(fields)) return false;
  } while (fields.size() == 1 && fields[0].empty() && columns_.size() > 1);
  if (fields.size() != columns_.size()) {
    throw DataError(cat(place(), ": ", counted(static_cast<int64_t>(fields.size()), "field"),
                        ", but the first line has ", columns_.size()));
  }
  return true;
}

CsvTable parse_csv(std::string_view text, const std::string& origin, char separator) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const auto next_line = [&text](std::string_view& line) {
    if (text.empty()) return false;
    line = text.substr(0, text.find('\n'));
    line = text.substr(0, std::min(text.size(), line.size() + 1));
    text.remove_prefix(line.size());
    return true;
  };
  CsvTableReader reader(CsvRecords(next_line, origin, separator));
  if (reader.columns().empty())
    throw DataError(cat(origin, ": it is empty; a table begins with the names of its columns"));
  std::set<std::string_view> known;
  for (const std::string& column : reader.columns()) {
    if (!known.insert(column).second)
      throw DataError(cat(reader.place(), ": two columns are called ", column));
  }
  CsvTable table{reader.columns(), {}};
  for (CsvRow row; reader.next(row.fields);) {
    row.line = reader.line();
    table.rows.push_back(row);
  }
  return table;
}

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (size_t i = 0; i < fields.size(); ++i)
    line += (i == 0 ? "" : ",") + quoted_where_needed(fields[i]);
  return line + "\n";
}

}  // namespace lmtrain

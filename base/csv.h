// Tables as comma-separated values (RFC 4180): a line of column names, then rows. A field in double
// quotes may hold separators, line ends and, doubled, quotes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace lmtrain {

// Reads records one after another, from lines that somebody else cuts.
class CsvRecords {
 public:
  // Gives the next line with its line break, if it has one; returns false at the end.
  using NextLine = std::function<bool(std::string_view& line)>;
  // `origin` names the file in messages.
  CsvRecords(NextLine next_line, std::string origin, char separator);

  // Returns false at the end. A blank line is a record of one empty field. Throws DataError with
  // file and line for a quote that is not closed and for text behind a closing quote.
  bool next(std::vector<std::string>& fields);
  // "FILE:LINE" of the line where the last record began.
  std::string place() const;
  int64_t line() const { return first_line_; }

 private:
  std::string place(int64_t line) const;
  size_t begin_field(std::string_view content, size_t at);

  NextLine next_line_;
  std::string origin_;
  char separator_;
  bool is_quoted_ = false;
  int64_t line_ = 0;
  int64_t first_line_ = 0;
};

// A table: the first record names the columns, and each other has as many fields. Blank lines are
// left out where there are several columns.
class CsvTableReader {
 public:
  // Reads the names.
  explicit CsvTableReader(CsvRecords records);

  // Empty for an empty file.
  const std::vector<std::string>& columns() const { return columns_; }
  // Throws DataError also for a row with more or fewer fields than there are columns.
  bool next(std::vector<std::string>& fields);
  std::string place() const { return records_.place(); }
  int64_t line() const { return records_.line(); }

 private:
  CsvRecords records_;
  std::vector<std::string> columns_;
};

struct CsvRow {
  int64_t line = 0;  // of the file, from 1, where the row begins
  std::vector<std::string> fields;
};

struct CsvTable {
  std::vector<std::string> columns;
  std::vector<CsvRow> rows;
};

// A whole table that is in memory. Throws DataError also for one without a header, or with two
// columns of one name.
CsvTable parse_csv(std::string_view text, const std::string& origin, char separator = ',');

// Fields as one line, with its line end; quoted where they have to be.
std::string csv_line(const std::vector<std::string>& fields);

}  // namespace lmtrain

#include "base/csv.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace lmtrain {
namespace {

using Fields = std::vector<std::string>;

std::string complaint_about(const std::string& text) {
  try {
    parse_csv(text, "x.csv");
  } catch (const DataError& error) {
    return error.what();
  }
  return "accepted";
}

// Defect: separators, quotes or line ends within quotes that end a field; a last row without a line
// end that is lost; a byte order mark in the first name.
TEST(Csv, ReadsQuotedFieldsAndEveryLineEnd) {
  const CsvTable table = parse_csv(
      "\xEF\xBB\xBF"
      "a,b\r\n1,\"x, \"\"y\"\"\nz\"\r\n\n,\"\"",
      "x.csv");
  EXPECT_EQ(table.columns, (Fields{"a", "b"}));
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0].fields, (Fields{"1", "x, \"y\"\nz"}));
  EXPECT_EQ(table.rows[0].line, 2);
  EXPECT_EQ(table.rows[1].fields, (Fields{"", ""}));
  EXPECT_EQ(table.rows[1].line, 5);
  EXPECT_EQ(parse_csv("a\tb\n1,2\t3", "x.tsv", '\t').rows[0].fields, (Fields{"1,2", "3"}));
}

// Defect: a damaged table read with shifted columns.
TEST(Csv, NamesTheLineOfWhatIsWrong) {
  EXPECT_EQ(complaint_about("a,b\n1\n"), "x.csv:2: 1 field, but the first line has 2");
  EXPECT_EQ(complaint_about("a,b\n1,2,3\n"), "x.csv:2: 3 fields, but the first line has 2");
  EXPECT_EQ(complaint_about("a,b\n1,2\n\"3,4\n"), "x.csv:3: a quoted field has no end");
  EXPECT_NE(
      complaint_about("a,b\n\"1\"2,3\n").find("x.csv:2: text behind the closing quote of a field"),
      std::string::npos);
  EXPECT_EQ(complaint_about("a,a\n1,2\n"), "x.csv:1: two columns are called a");
  EXPECT_EQ(complaint_about(""),
            "x.csv: it is empty; a table begins with the names of its columns");
}

// Defect: fields that do not read back.
TEST(Csv, WritesWhatItReads) {
  const Fields fields = {"plain", "with, comma", "with \"quotes\"", "two\nlines", "", "ü"};
  const CsvTable table = parse_csv("a,b,c,d,e,f\n" + csv_line(fields), "x.csv");
  EXPECT_EQ(table.rows[0].fields, fields);
}

}  // namespace
}  // namespace lmtrain

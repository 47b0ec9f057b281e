#include "base/text.h"

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: a typo's suggestion that is not the nearest key, or a suggestion for nonsense.
TEST(Text, NearestNameFindsTyposAndOnlyTypos) {
  EXPECT_EQ(nearest_name("stpes", {"seed", "steps", "precision"}), "steps");
  EXPECT_EQ(nearest_name("num_layer", {"num_heads", "num_layers"}), "num_layers");
  EXPECT_EQ(nearest_name("zzzzzz", {"steps", "seed"}), "");
}

// Defect: an empty line or one without its end lost, a carriage return taken for a line's end.
TEST(Text, LinesAreCutAtNewlinesAlone) {
  std::string_view rest = "a\n\nb\r\nc";
  for (const std::string_view line : {"a", "", "b\r", "c", ""}) EXPECT_EQ(cut_line(rest), line);
  EXPECT_TRUE(rest.empty());
}

// Defect: digits grouped from the wrong end.
TEST(Text, ReadableQuantities) {
  EXPECT_EQ(with_commas(1234567), "1,234,567");
  EXPECT_EQ(with_commas(-123456), "-123,456");
  EXPECT_EQ(with_commas(12), "12");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_duration(3725), "1h02m");
  EXPECT_EQ(human_duration(61), "1m01s");
  EXPECT_EQ(shortest(6e-4), "0.0006");
}

// Defect: a number with something behind it, or one that does not fit, is taken for another number.
TEST(ParseInteger, TakesTheWholeText) {
  EXPECT_EQ(parse_integer("-12"), -12);
  for (const char* text : {"", " 1", "1 ", "1.5", "0x1", "9223372036854775808", "+1"})
    EXPECT_FALSE(parse_integer(text).has_value()) << text;
}

}  // namespace
}  // namespace lmtrain

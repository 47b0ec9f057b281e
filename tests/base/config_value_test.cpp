#include "base/config_value.h"

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: octal, hexadecimal, underscores or a sign that other tools read as another number.
TEST(ConfigValue, IntegersAreDecimalDigits) {
  for (const char* text : {"0", "7", "-12", "1000", "9223372036854775808"}) {
    EXPECT_TRUE(is_decimal_integer(text)) << text;
  }
  for (const char* text : {"", "-", "+5", "010", "-01", "0x10", "0o7", "1_000", "1,000", "1e3",
                           "1.0", "1.", " 1", "1 ", "abc", "--1"}) {
    EXPECT_FALSE(is_decimal_integer(text)) << text;
  }
}

// Defect: a number that is no finite decimal, or is ambiguous to a reader, is taken.
TEST(ConfigValue, RealsAreFiniteDecimals) {
  for (const char* text :
       {"0", "-0.5", "6.0e-4", "1e-8", "1E+5", "10", "0.10", "1e-08", "-2.5E3"}) {
    EXPECT_TRUE(is_decimal_real(text)) << text;
  }
  for (const char* text :
       {"",     ".5",   "5.",  "+1",   "00.5", "01",    "1e",    "1e+", "e5",    "1.5.2", "inf",
        "-inf", ".inf", "nan", ".nan", "NaN",  "0x1p3", "1_0.5", "1,5", "1e5.0", "1 "}) {
    EXPECT_FALSE(is_decimal_real(text)) << text;
  }
}

// Defect: limits shown to a person that are not those that are checked.
TEST(ConfigValue, LimitsReadAsWords) {
  EXPECT_EQ(limits_text(IntegerLimits{}), "");
  EXPECT_EQ(limits_text(IntegerLimits{.min = 0}), "at least 0");
  EXPECT_EQ(limits_text(IntegerLimits{.min = 1, .max = 5}), "1 to 5");
  EXPECT_EQ(limits_text(RealLimits{.min = 0.0, .max = 1.0, .max_excluded = true}),
            "at least 0 and below 1");
  EXPECT_EQ(limits_text(RealLimits{.min = 0.0, .max = 1.0, .min_excluded = true}),
            "above 0 and at most 1");
  EXPECT_EQ(limits_text(RealLimits{.max = 2.5}), "at most 2.5");
}

// Defect: a text written without quotes that reads back as a number, a boolean, null or a comment.
TEST(ConfigValue, TextIsQuotedWhereItWouldReadAsSomethingElse) {
  EXPECT_EQ(yaml_text("corpus/debian-12_x.txt"), "corpus/debian-12_x.txt");
  EXPECT_EQ(yaml_text("/data/x"), "/data/x");
  for (const char* text : {"", "5", "1e5", "true", "null", "~", "%", "a b", "a: b", "a#b", "-",
                           "- a", "*a", "-x", "[a]", "..", "a,b"}) {
    EXPECT_EQ(yaml_text(text), std::string("\"") + text + "\"");
  }
  EXPECT_EQ(yaml_text("a\"b\\c\n"), "\"a\\\"b\\\\c\\x0a\"");
}

struct Inner {
  int64_t count = 1;
  double share = 0.5;
  void describe(Fields& f) {
    f.integer("count", count, {}, "Count.");
    f.real("share", share, {}, "Share.").warned_on_resume();
  }
};
struct Outer {
  Inner inner;
  Inner fixed;
  std::vector<Inner> list = {{}, {}};
  void describe(Fields& f) {
    f.section("inner", inner, "Inner.");
    f.section("fixed", fixed, "Fixed.").fixed_on_resume();
    f.list("list", list, "List.");
  }
};

// Defect: a key left out of the comparison of two configs, or under another section's rule.
TEST(ConfigValue, ListsEveryKeyWithItsStrictestRule) {
  Outer outer;
  Fields fields;
  outer.describe(fields);
  const std::vector<ConfigValue> values = config_values(fields);
  ASSERT_EQ(values.size(), 5u);
  EXPECT_EQ(values[0].key, "inner.count");
  EXPECT_EQ(values[0].on_resume, OnResume::kFree);
  EXPECT_EQ(values[1].on_resume, OnResume::kWarned);
  EXPECT_EQ(values[2].on_resume, OnResume::kFixed);
  EXPECT_EQ(values[3].key, "fixed.share");
  EXPECT_EQ(values[3].on_resume, OnResume::kFixed);
  EXPECT_EQ(values[4].text, "[{count: 1, share: 0.5}, {count: 1, share: 0.5}]");
}

// Defect: a change that is not told, told with the values swapped, or a key told that did not
// change.
TEST(ConfigValue, ChangesAreTheKeysWithAnotherValue) {
  Outer outer;
  Fields before;
  outer.describe(before);
  const std::vector<ConfigValue> before_values = config_values(before);
  EXPECT_TRUE(config_changes(before_values, before_values).empty());

  outer.inner.count = 7;
  outer.fixed.share = 0.25;
  Fields now;
  outer.describe(now);
  const std::vector<ConfigChange> changes = config_changes(before_values, config_values(now));
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].key, "inner.count");
  EXPECT_EQ(changes[0].before, "1");
  EXPECT_EQ(changes[0].now, "7");
  EXPECT_EQ(changes[0].on_resume, OnResume::kFree);
  EXPECT_EQ(changes[1].key, "fixed.share");
  EXPECT_EQ(changes[1].before, "0.5");
  EXPECT_EQ(changes[1].now, "0.25");
  EXPECT_EQ(changes[1].on_resume, OnResume::kFixed);
}

}  // namespace
}  // namespace lmtrain

#include "base/clock.h"

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: a zone, a fraction or a missing second read wrongly.
TEST(ParseTime, ReadsTheFormsOfIso8601) {
  EXPECT_EQ(parse_time("1970-01-01T00:00:00Z"), 0.0);
  EXPECT_EQ(parse_time("2026-01-31T12:00Z"), 1769860800.0);
  EXPECT_EQ(parse_time("2026-01-31 12:00:00"), 1769860800.0);
  EXPECT_EQ(parse_time("2026-01-31T13:30:00+01:30"), 1769860800.0);
  EXPECT_EQ(parse_time("2026-01-31T07:00:00-0500"), 1769860800.0);
  EXPECT_EQ(parse_time("2026-01-31T12:00:00.250Z"), 1769860800.25);
  EXPECT_EQ(parse_time("2026-01-31"), 1769817600.0);
  EXPECT_EQ(parse_time("2024-02-29"), 1709164800.0);
  EXPECT_EQ(utc_text(*parse_time("2026-11-30T01:02:03Z")), "2026-11-30T01:02:03Z");
}

// Defect: days and hours that do not exist moved to others.
TEST(ParseTime, RefusesWhatIsNoTime) {
  for (const char* text :
       {"", "2026", "2026-13-01", "2026-02-30", "2025-02-29", "2026-01-31T24:00Z",
        "2026-01-31T12:60Z", "2026-01-31T12", "2026-01-31T12:00Zx", "2026-01-31T12:00+99:00",
        "31.01.2026", "2026-1-31", "2026-01-31Tnoon", "-026-01-31"})
    EXPECT_EQ(parse_time(text), std::nullopt) << text;
}

}  // namespace
}  // namespace lmtrain

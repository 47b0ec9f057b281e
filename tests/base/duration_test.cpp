#include "base/duration.h"

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: a duration that is read as another one, or a wrong text that is read at all.
TEST(Duration, IsReadWithItsUnits) {
  EXPECT_EQ(parse_duration("90s"), 90);
  EXPECT_EQ(parse_duration("20m"), 1200);
  EXPECT_EQ(parse_duration("3h50m"), 13800);
  EXPECT_EQ(parse_duration("1d12h"), 129600);
  EXPECT_EQ(parse_duration("1d2h3m4.5s"), 93784.5);
  EXPECT_EQ(parse_duration("0.5h"), 1800);
  EXPECT_EQ(parse_duration("0s"), 0);
  for (const char* const wrong : {"", "5", "m", "5x", "5m1h", "5m5m", "-5m", "+5m", "1.5h5m", "5 m",
                                  "5.s", ".5s", "1e3s", "inf", "infs", "nans", "3:50:00", "0x5s"})
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
}

// Defect: a duration that a resolved config states as another one.
TEST(Duration, TextReadsBack) {
  EXPECT_EQ(duration_text(0), "0s");
  EXPECT_EQ(duration_text(90), "1m30s");
  EXPECT_EQ(duration_text(13800), "3h50m");
  for (const double seconds : {0.0, 0.1, 59.9, 60.0, 3600.25, 86400.0, 93784.5, 1e7})
    EXPECT_EQ(parse_duration(duration_text(seconds)), seconds) << duration_text(seconds);
}

}  // namespace
}  // namespace lmtrain

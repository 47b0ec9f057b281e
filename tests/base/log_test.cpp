#include "base/log.h"

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: a progress line that is wider than the terminal, so that each redraw begins a new line.
TEST(ProgressLine, LeavesOutTheLastFieldsThatDoNotFit) {
  const std::string_view line = "step 1/600  loss 8.3  ETA 3m20s  12,345 tok/s";
  EXPECT_EQ(fit_fields(line, 80), line);
  EXPECT_EQ(fit_fields(line, line.size()), line);
  EXPECT_EQ(fit_fields(line, line.size() - 1), "step 1/600  loss 8.3  ETA 3m20s");
  EXPECT_EQ(fit_fields(line, 20), "step 1/600  loss 8.3");
  EXPECT_EQ(fit_fields(line, 19), "step 1/600");
  EXPECT_EQ(fit_fields(line, 4), "step");
}

}  // namespace
}  // namespace lmtrain

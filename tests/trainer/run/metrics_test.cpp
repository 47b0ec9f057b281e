#include "trainer/run/metrics.h"

#include <limits>

#include <gtest/gtest.h>

#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

StepMetrics step_metrics(int64_t step, double loss) {
  StepMetrics m;
  m.step = step;
  m.tokens = 10 * step;
  m.step_seconds = 0.5;
  m.result.loss = loss;
  return m;
}

class Metrics : public testing::Test {
 protected:
  void SetUp() override {
    MetricsLog log(path_, -1);
    log.validation(0, {.loss = 5.0, .bits_per_byte = 3.0});
    for (int64_t step = 1; step <= 4; ++step)
      log.step(step_metrics(step, 5.0 - static_cast<double>(step)), 4);
    log.validation(4, {.loss = 1.5, .bits_per_byte = 0.9});
  }

  TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "metrics.jsonl";
};

// Defect: steps that are computed again after a resume stand twice, or their time and tokens count
// twice.
TEST_F(Metrics, ContinueBehindTheCheckpoint) {
  MetricsLog log(path_, 2);
  ASSERT_EQ(log.train_loss().size(), 2U);
  EXPECT_EQ(log.train_loss().back().step, 2);
  EXPECT_EQ(log.tokens(), 20);
  EXPECT_EQ(log.seconds(), 1.0);
  ASSERT_EQ(log.validation_loss().size(), 1U);
  EXPECT_EQ(log.last_validation().bits_per_byte.value(), 3.0);
  log.step(step_metrics(3, 1.0), 4);
  EXPECT_EQ(MetricsLog(path_, 4).train_loss().back().value, 1.0);
}

// Defect: a run that begins anew after a crash before its first checkpoint keeps the validation of
// the attempt before.
TEST_F(Metrics, OfARunWithoutACheckpointBeginAnew) {
  const MetricsLog log(path_, -1);
  EXPECT_TRUE(log.validation_loss().empty());
  EXPECT_TRUE(log.train_loss().empty());
  EXPECT_EQ(read_file(path_), "");
}

// Defect: a line that a crash tore, or a loss that is no number, makes a run unresumable.
TEST_F(Metrics, TornAndNullLinesDoNoHarm) {
  {
    MetricsLog log(path_, 4);
    log.validation(4, {.loss = std::numeric_limits<double>::quiet_NaN(), .bits_per_byte = 0.0});
  }
  std::string text = read_file(path_);
  write_file_durably(path_, text + "{\"step\":5,\"lo");
  const MetricsLog log(path_, 5);
  EXPECT_EQ(log.train_loss().size(), 4U);
  EXPECT_EQ(log.last_validation().bits_per_byte.value(), 0.9);
}

}  // namespace
}  // namespace lmtrain

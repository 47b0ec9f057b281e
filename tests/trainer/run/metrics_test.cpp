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
    MetricsLog log(path_, {});
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
  MetricsLog log(path_, {2, 20, 1.0});
  ASSERT_EQ(log.train_loss().size(), 2U);
  EXPECT_EQ(log.train_loss().back().step, 2);
  EXPECT_EQ(log.tokens(), 20);
  EXPECT_EQ(log.seconds(), 1.0);
  ASSERT_EQ(log.validation_loss().size(), 1U);
  EXPECT_EQ(log.last_validation().bits_per_byte.value(), 3.0);
  log.step(step_metrics(3, 1.0), 4);
  EXPECT_EQ(MetricsLog(path_, {4, 40, 2.0}).train_loss().back().value, 1.0);
}

// Defect: spikes, updates that were left out and saves that failed are forgotten by the attempt
// after.
TEST_F(Metrics, CountWhatWentWrong) {
  StepMetrics spike = step_metrics(5, 9.0);
  spike.is_spike = true;
  StepMetrics skipped = step_metrics(6, 9.0);
  skipped.is_spike = skipped.is_skipped = true;
  {
    MetricsLog log(path_, {4, 40, 2.0});
    log.step(spike, 8);
    log.step(skipped, 8);
    log.save_failed(6, "no space: \xff");
  }
  const MetricsLog later(path_, {6, 60, 3.0});
  EXPECT_TRUE(later.notes().empty());
  EXPECT_EQ(later.spikes(), 2);
  EXPECT_EQ(later.skipped_steps(), 1);
  EXPECT_EQ(later.failed_saves(), 1);
  EXPECT_FALSE(later.saves());
  const MetricsLog back(path_, {5, 50, 2.5});  // behind a crash before the next save
  EXPECT_EQ(back.spikes(), 1);
  EXPECT_EQ(back.failed_saves(), 1);
  EXPECT_EQ(MetricsLog(path_, {}).failed_saves(), 0);  // a run that begins anew
}

// Defect: a run that begins anew after a crash before its first checkpoint keeps the validation of
// the attempt before.
TEST_F(Metrics, OfARunWithoutACheckpointBeginAnew) {
  const MetricsLog log(path_, {});
  EXPECT_TRUE(log.validation_loss().empty());
  EXPECT_TRUE(log.train_loss().empty());
  EXPECT_EQ(read_file(path_), "");
}

// Defect: a line that a crash tore, or a loss that is no number, makes a run unresumable.
TEST_F(Metrics, TornAndNullLinesDoNoHarm) {
  {
    MetricsLog log(path_, {4, 40, 2.0});
    log.validation(4, {.loss = std::numeric_limits<double>::quiet_NaN(), .bits_per_byte = 0.0});
  }
  std::string text = read_file(path_);
  write_file_durably(path_, text + "{\"step\":5,\"lo");
  const MetricsLog log(path_, {5, 40, 2.0});
  EXPECT_EQ(log.train_loss().size(), 4U);
  EXPECT_EQ(log.last_validation().bits_per_byte.value(), 0.9);
}

// Defect: a value of a wrong type, or a lost file, ends a resume with a parser's own message, or
// makes totals that are not those of the run.
TEST_F(Metrics, DamageIsSetAsideAndTheCheckpointsTotalsCount) {
  std::string text = read_file(path_);
  text.replace(text.find("\"loss\":3.0"), 10, "\"loss\":\"x\"");
  write_file_durably(path_, text);
  {
    const MetricsLog log(path_, {4, 40, 2.0});
    EXPECT_EQ(log.train_loss().size(), 3U);
    EXPECT_EQ(log.tokens(), 40);
    ASSERT_EQ(log.notes().size(), 1U);
    EXPECT_NE(log.notes()[0].find("metrics.jsonl.damaged"), std::string::npos);
    EXPECT_EQ(read_file(folder_ / "metrics.jsonl.damaged"), text);
  }
  for (const char* content : {"", "[]\n", "{\"step\":\"one\"}\n"}) {
    write_file_durably(path_, content);
    const MetricsLog log(path_, {4, 40, 2.0});
    EXPECT_EQ(log.tokens(), 40) << content;
    EXPECT_EQ(log.seconds(), 2.0) << content;
    EXPECT_FALSE(log.notes().empty()) << content;
  }
}

// Defect: the work of all attempts is divided by the ceiling of the last one: 131.7% after a
// resume.
TEST_F(Metrics, SharesAreOfEachAttemptsOwnCeiling) {
  write_file_durably(path_, "");
  const auto train = [&](int64_t from, int64_t to, int64_t attempt, double share) {
    MetricsLog log(path_, {from - 1, 10 * (from - 1), 0.5 * static_cast<double>(from - 1)});
    for (int64_t step = from; step <= to; ++step) {
      StepMetrics m = step_metrics(step, 1.0);
      m.attempt = attempt;
      m.matmul_share = share;
      log.step(m, 8);
    }
    return log.matmul_share().value();
  };
  EXPECT_DOUBLE_EQ(train(1, 6, 0, 0.6).value(), 0.6);
  EXPECT_DOUBLE_EQ(train(7, 8, 1, 0.8).value(), 0.65);
  MetricsLog log(path_, {8, 80, 4.0});
  EXPECT_DOUBLE_EQ(log.matmul_share().value().value(), 0.65);
  log.forget_matmul_shares(2);  // at its first step, which is not on record yet
  StepMetrics m = step_metrics(9, 1.0);
  m.attempt = 2;
  m.matmul_share = 1.05;
  log.step(m, 9);
  log.forget_matmul_shares(2);
  EXPECT_DOUBLE_EQ(log.matmul_share().value().value(), 0.65);
  const std::vector<AttemptSpeed> speeds = log.speeds();
  ASSERT_EQ(speeds.size(), 3u);
  EXPECT_DOUBLE_EQ(speeds[0].matmul_share.value(), 0.6);
  EXPECT_EQ(speeds[0].tokens, 60);
  EXPECT_DOUBLE_EQ(speeds[0].seconds, 3.0);
  EXPECT_DOUBLE_EQ(speeds[1].matmul_share.value(), 0.8);
  EXPECT_EQ(speeds[1].tokens, 20);
  EXPECT_FALSE(speeds[2].matmul_share.has_value());
  const std::string text = read_file(path_);
  EXPECT_NE(text.find("\"attempt\":1"), std::string::npos);
  EXPECT_NE(text.find("\"matmul_share\":0.8"), std::string::npos);
  EXPECT_NE(text.find("\"time\":"), std::string::npos);
}

}  // namespace
}  // namespace lmtrain

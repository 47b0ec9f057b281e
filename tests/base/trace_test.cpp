#include "base/trace.h"

#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/phase.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

class TraceTest : public testing::Test {
 protected:
  nlohmann::json written(Trace& trace) {
    trace.write(folder_.path() / "trace.json");
    return nlohmann::json::parse(read_file(folder_.path() / "trace.json"));
  }
  // Returns the events that stand for spans.
  std::vector<nlohmann::json> events(Trace& trace) {
    std::vector<nlohmann::json> found;
    const nlohmann::json json = written(trace);
    for (const auto& event : json["traceEvents"]) {
      if (event["ph"] == "X") found.push_back(event);
    }
    return found;
  }

 private:
  TemporaryFolder folder_;
};

// Defect: viewers refuse the file, show it without names, or read its times in another unit.
TEST_F(TraceTest, WritesWhatViewersRead) {
  Trace trace(3);
  const int lane = trace.lane("NCCL \"data\"");
  EXPECT_EQ(trace.lane("NCCL \"data\""), lane);
  EXPECT_EQ(trace.lane("training"), Trace::kTraining);
  EXPECT_EQ(trace.lane("communication"), Trace::kCommunication);
  trace.add({"backward", "phase", Trace::kTraining, 1.5, 2.5});
  trace.add({"all_reduce", "operation", lane, 2.5, 2.75, "data", 3 << 20, 17});
  const nlohmann::json json = written(trace);
  std::vector<std::string> names;
  for (const auto& event : json["traceEvents"]) {
    EXPECT_EQ(event["pid"], 3);
    if (event["ph"] == "M") names.push_back(event["args"]["name"]);
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"rank 3", "training", "communication", "NCCL \"data\""}));
  const size_t last = json["traceEvents"].size() - 1;
  const nlohmann::json span = json["traceEvents"][last];
  EXPECT_EQ(json["traceEvents"][last - 1]["name"], "backward");
  EXPECT_FALSE(json["traceEvents"][last - 1].contains("args"));
  EXPECT_NEAR(span["ts"].get<double>() - json["traceEvents"][last - 1]["ts"].get<double>(), 1e6,
              1e-3);
  EXPECT_EQ(span["ph"], "X");
  EXPECT_EQ(span["name"], "all_reduce data");
  EXPECT_EQ(span["cat"], "operation");
  EXPECT_EQ(span["tid"], lane);
  EXPECT_EQ(span["dur"], 250000.0);
  EXPECT_EQ(span["args"], (nlohmann::json{{"axis", "data"}, {"bytes", 3 << 20}, {"sequence", 17}}));
  EXPECT_EQ(json["otherData"]["dropped_spans"], 0);
}

// Defect: memory grows with the run, or a full trace drops the newest spans instead of the oldest.
TEST_F(TraceTest, KeepsTheNewestAndCountsTheOthers) {
  Trace trace(0, 3);
  for (int i = 0; i < 5; ++i) trace.add({"forward", "phase", 0, i + 0.0, i + 0.5 + 0.01 * i});
  trace.add_dropped(4);
  const std::vector<nlohmann::json> kept = events(trace);
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept.front()["dur"], 520000.0);
  EXPECT_EQ(kept.back()["dur"], 540000.0);
  EXPECT_EQ(trace.num_dropped(), 6);
  EXPECT_EQ(written(trace)["otherData"]["dropped_spans"], 6);
}

// Defect: spans of different threads overwrite one another, or the file lacks the spans that a
// source has buffered.
TEST_F(TraceTest, TakesSpansOfAllThreadsAndSources) {
  Trace trace(0);
  std::vector<std::thread> threads;
  for (int lane = 0; lane < 4; ++lane) {
    threads.emplace_back([&trace, lane] {
      for (int i = 0; i < 20000; ++i) trace.add({"data", "phase", lane, 1.0 * i, 1.0 * i});
    });
  }
  for (std::thread& thread : threads) thread.join();
  trace.add_source([](Trace& t) { t.add({"late", "phase", 0, 1, 2}); });
  const std::vector<nlohmann::json> all = events(trace);
  EXPECT_EQ(all.size(), 80001U);
  EXPECT_EQ(all.back()["name"], "late");
}

// Defect: a scope leaves no span, or its span ends after the enclosing one, which viewers refuse;
// or recording changes the seconds that the tracker counts.
TEST_F(TraceTest, ShowsScopesOfPhasesWithinOneAnother) {
  const auto trace = std::make_shared<Trace>(0);
  PhaseTracker phases;
  phases.record_in(trace);
  for (int i = 0; i < 100; ++i) {
    const PhaseScope outer(phases, Phase::kEvaluation);
    const PhaseScope inner(phases, Phase::kForward);
    EXPECT_EQ(phases.current(), Phase::kForward);
  }
  EXPECT_EQ(phases.current(), Phase::kStartup);
  const double forward = phases.seconds()[static_cast<size_t>(Phase::kForward)];
  const std::vector<nlohmann::json> spans = events(*trace);
  ASSERT_EQ(spans.size(), 200U);
  double shown = 0;
  for (size_t i = 0; i < spans.size(); i += 2) {
    const nlohmann::json& inner = spans[i];
    const nlohmann::json& outer = spans[i + 1];
    EXPECT_EQ(inner["name"], "forward");
    EXPECT_EQ(outer["name"], "evaluation");
    EXPECT_LE(outer["ts"].get<double>(), inner["ts"].get<double>());
    EXPECT_LE(inner["dur"].get<double>(), outer["dur"].get<double>());
    shown += inner["dur"].get<double>();
  }
  EXPECT_NEAR(shown * 1e-6, forward, 1e-6);
}

}  // namespace
}  // namespace lmtrain

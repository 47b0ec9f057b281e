#include "parallel/idle_watch.h"

#include <chrono>
#include <thread>

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

RankActivity::Seen seen_at(int64_t progress, bool is_in_operation = false) {
  RankActivity::Seen seen;
  seen.progress = progress;
  seen.phase = Phase::kForward;
  seen.is_in_operation = is_in_operation;
  return seen;
}

// Defect: a job that was suspended for an hour counts as one that hangs for an hour.
TEST(IdleWatch, ASuspendedProcessDoesNotAge) {
  WakeClock clock(100.0);
  EXPECT_DOUBLE_EQ(clock.advance(100.5), 0.5);
  EXPECT_DOUBLE_EQ(clock.advance(3700.5), 2.0);
  EXPECT_DOUBLE_EQ(clock.advance(3701.0), 0.5);
  EXPECT_DOUBLE_EQ(clock.seconds(), 3.0);
}

// Defect: the limit does not follow what the phase takes here.
TEST(IdleWatch, TheLimitIsThreeTimesWhatThePhaseTook) {
  IdleWatch watch;
  int64_t progress = 0;
  watch.look(seen_at(progress), 0.5, {});
  EXPECT_DOUBLE_EQ(watch.limit_seconds(30), 30);
  for (int step = 0; step < 50; ++step) {
    for (int i = 0; i < 40; ++i) watch.look(seen_at(progress), 1.0, {.is_busy = true});
    watch.look(seen_at(++progress), 1.0, {.is_busy = true});
  }
  EXPECT_DOUBLE_EQ(watch.idle_seconds(), 0);
  EXPECT_NEAR(watch.limit_seconds(30), 120, 3.1);
  for (int i = 0; i < 130; ++i) watch.look(seen_at(progress), 1.0, {.is_busy = true});
  EXPECT_GT(watch.idle_seconds(), watch.limit_seconds(30));
}

// Defect: on a machine where others have the processors, a rank that would compute counts as one
// that hangs, in a phase whose time is known.
TEST(IdleWatch, SecondsWithoutAProcessorDoNotCount) {
  IdleWatch watch;
  int64_t progress = 0;
  for (int i = 0; i < 50; ++i) watch.look(seen_at(++progress), 1.0, {.is_busy = true});
  EXPECT_EQ(watch.limit_seconds(30), 30);
  for (int i = 0; i < 100; ++i)
    watch.look(seen_at(progress), 1.0, {.is_busy = true, .starved_seconds = 0.9});
  EXPECT_NEAR(watch.idle_seconds(), 10, 1e-9);
  EXPECT_NEAR(watch.unseen_seconds(), 100, 1e-9);
  for (int i = 0; i < 31; ++i) watch.look(seen_at(progress), 1.0, {.is_busy = true});
  EXPECT_GT(watch.idle_seconds(), watch.limit_seconds(30));
}

// Defect: a first step that takes minutes counts as a hang, or a rank that sleeps for ever does
// not.
TEST(IdleWatch, ARankThatWorksIsBelievedUntilItsPhaseIsKnown) {
  IdleWatch watch;
  for (int i = 0; i < 100; ++i) watch.look(seen_at(1), 1.0, {.is_busy = true});
  EXPECT_DOUBLE_EQ(watch.idle_seconds(), 0);
  EXPECT_DOUBLE_EQ(watch.unseen_seconds(), 99);
  for (int i = 0; i < 40; ++i) watch.look(seen_at(1), 1.0, {});
  EXPECT_GT(watch.idle_seconds(), watch.limit_seconds(30));
  watch.look(seen_at(2), 1.0, {});
  EXPECT_DOUBLE_EQ(watch.idle_seconds(), 0);
  // Who waits for others polls, which is no work.
  for (int i = 0; i < 40; ++i)
    watch.look(seen_at(2, /*is_in_operation=*/true), 1.0, {.is_busy = true});
  EXPECT_GT(watch.idle_seconds(), watch.limit_seconds(30));
}

// Defect: a save that writes for minutes on a file system that does not say that it waits for a
// disk.
TEST(IdleWatch, ARankThatWaitsForItsSaveIsBelieved) {
  IdleWatch watch;
  RankActivity::Seen seen;
  seen.phase = Phase::kCheckpoint;
  seen.waits_for_save = true;
  for (int i = 0; i < 100; ++i) watch.look(seen, 1.0, {});
  EXPECT_DOUBLE_EQ(watch.idle_seconds(), 0);
  EXPECT_GT(watch.unseen_seconds(), 90);
}

// Defect: what a rank does beside its training hides that the training hangs.
TEST(RankActivity, OnlyTheTrainingMakesProgress) {
  RankActivity activity;
  PhaseTracker phases;
  const FollowedPhases followed(activity, phases);
  const PhaseScope forward(phases, Phase::kForward);
  const int64_t before = activity.now().progress;
  activity.set_saving(true);
  activity.operation_begins(RankActivity::Lane::kBeside, {OperationKind::kAllGather, "data", 8, 1});
  EXPECT_EQ(activity.now().progress, before);
  EXPECT_FALSE(activity.now().is_in_operation);
  EXPECT_FALSE(activity.now().waits_for_save);
  const PhaseScope save(phases, Phase::kCheckpoint);
  EXPECT_TRUE(activity.now().is_in_operation);
  EXPECT_TRUE(activity.now().waits_for_save);
  activity.operation_ends(RankActivity::Lane::kBeside);
  EXPECT_FALSE(activity.now().is_in_operation);
}

// Defect: a rank that waits for others within forward, as layouts with a tensor axis and ZeRO 3 do,
// whose waiting counts as forward; or another thread's waiting that changes the training's phase.
TEST(RankActivity, WaitingWithinAStepIsCommunication) {
  RankActivity activity;
  PhaseTracker phases;
  const FollowedPhases followed(activity, phases);
  {
    const RankActivity::Waiting waiting(activity);
    EXPECT_EQ(phases.current(), Phase::kStartup);
  }
  {
    const PhaseScope forward(phases, Phase::kForward);
    {
      const RankActivity::Waiting waiting(activity);
      EXPECT_EQ(phases.current(), Phase::kCommunication);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    EXPECT_EQ(phases.current(), Phase::kForward);
    std::thread([&] {
      const RankActivity::Waiting waiting(activity);
      EXPECT_EQ(phases.current(), Phase::kForward);
    }).join();
  }
  EXPECT_GE(activity.waiting_seconds(), 0.02);
  EXPECT_GE(phases.seconds()[static_cast<size_t>(Phase::kCommunication)], 0.02);
}

// Defect: a model that takes a minute to load behind many short operations counts as a hang.
TEST(IdleWatch, StartUpHasNoUsualTime) {
  IdleWatch watch;
  RankActivity::Seen seen;  // in start-up
  for (seen.progress = 0; seen.progress < 100; ++seen.progress) watch.look(seen, 1.0, {});
  for (int i = 0; i < 100; ++i) watch.look(seen, 1.0, {.is_busy = true});
  EXPECT_DOUBLE_EQ(watch.idle_seconds(), 0);
  for (int i = 0; i < 40; ++i) watch.look(seen, 1.0, {});
  EXPECT_GT(watch.idle_seconds(), watch.limit_seconds(30));
}

// Defect: a slow disk, which a save may wait for at any time, counts as a hang.
TEST(IdleWatch, ARankThatWaitsForADiskIsBelieved) {
  IdleWatch watch;
  for (int i = 0; i < 50; ++i) watch.look(seen_at(i), 1.0, {});
  for (int i = 0; i < 100; ++i) watch.look(seen_at(50), 1.0, {.waits_for_a_disk = true});
  EXPECT_DOUBLE_EQ(watch.idle_seconds(), 0);
  EXPECT_DOUBLE_EQ(watch.unseen_seconds(), 99);
  for (int i = 0; i < 40; ++i) watch.look(seen_at(50), 1.0, {});
  EXPECT_GT(watch.idle_seconds(), watch.limit_seconds(30));
}

}  // namespace
}  // namespace lmtrain

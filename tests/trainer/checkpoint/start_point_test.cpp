#include "trainer/checkpoint/start_point.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/text.h"
#include "trainer/config/load_config.h"

namespace lmtrain {
namespace {

// A checkpoint of step 10 of a run with the default config, and what the job that goes on from it
// is.
struct Resume {
  Resume() {
    CheckpointState& then = start.manifest.state;
    then.step = 10;
    then.config = print_config(Config(), ConfigText::kValues);
    then.start_token = 1;
    then.ranks = {{2, 2, "AVX2", "NVIDIA A100"}, {2, 2, "AVX2", "NVIDIA A100"}};
    then.num_ranks = 2;
    now = then;
  }
  std::vector<std::string> notes(const std::vector<std::string>& overrides) const {
    return check_start_point(start, load_config("", overrides).config, now);
  }

  StartPoint start{"runs/a/checkpoints/step-00000010", {}};
  CheckpointState now;
};

// Defect: another GPU model computes other bits, and no word is said; or a checkpoint of an earlier
// version, which knows of none, is taken for one.
TEST(StartPoint, ComparesTheDevicesOfRanks) {
  Resume resume;
  EXPECT_TRUE(resume.notes({}).empty());
  resume.now.ranks[1].device = "NVIDIA H100";
  EXPECT_EQ(resume.notes({}),
            std::vector<std::string>{"device of rank 1: NVIDIA A100 before, NVIDIA H100 now; "
                                     "results will differ in their last bits"});
  EXPECT_THROW(resume.notes({"resume.mode=strict"}), ConfigError);
  for (RankCompute& rank : resume.start.manifest.state.ranks) rank.device = "";
  EXPECT_TRUE(resume.notes({"resume.mode=strict"}).empty());
}

// Defect: a batch size that is allowed to change reads text twice, or passes over some, silently.
TEST(StartPoint, TellsWhatAnotherBatchSizeReads) {
  Resume resume;
  const int64_t batch = Config().train.global_batch_size;
  const auto note = [&](int64_t now) {
    const auto notes = resume.notes(
        {cat("train.global_batch_size=", now), "resume.allow=[train.global_batch_size]"});
    return notes.size() == 1 ? notes[0] : cat(notes.size(), " notes");
  };
  EXPECT_NE(note(2 * batch).find(cat("reads from sample ", 20 * batch,
                                     " on; the steps before ended at sample ", 10 * batch)),
            std::string::npos)
      << note(2 * batch);
  // A roll-back to the checkpoint, which had passed over two batches, passes over three more.
  resume.start.manifest.state.guard.passed_batches = 2;
  resume.now.guard.passed_batches = 5;
  EXPECT_NE(note(batch / 2).find(cat("reads from sample ", 15 * batch / 2,
                                     " on; the steps before ended at sample ", 12 * batch)),
            std::string::npos)
      << note(batch / 2);
}

}  // namespace
}  // namespace lmtrain

#include "trainer/checkpoint/resume_compatibility.h"

#include <sstream>

#include <gtest/gtest.h>

#include "base/config_value.h"
#include "base/error.h"
#include "trainer/config/load_config.h"
#include "trainer/step/schedule.h"

namespace lmtrain {
namespace {

std::string error_of_change(const std::vector<std::string>& overrides) {
  try {
    check_resume_compatibility(Config(), load_config("", overrides).config);
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

// Defect: a checkpoint continues under another model, tokenizer, order of data or optimizer.
TEST(ResumeCompatibility, RefusesWhatMakesAnotherRun) {
  for (const char* change :
       {"model.num_layers=7", "model.hidden_size=768", "model.vocab_size=5000", "model.dropout=0.1",
        "model.layer_norm_eps=1e-6", "tokenizer.vocab_size=5000", "data.sequence_length=128",
        "data.validation_fraction=0.1", "run.seed=2", "train.global_batch_size=16",
        "train.precision=fp32", "optimizer.betas=[0.9, 0.99]", "optimizer.eps=1e-6"}) {
    const std::string key = std::string(change).substr(0, std::string(change).find('='));
    EXPECT_NE(error_of_change({change}).find(key), std::string::npos) << change;
  }
}

// Defect: only the first difference is named, or without both values.
TEST(ResumeCompatibility, ListsAllDifferences) {
  EXPECT_EQ(error_of_change({"run.seed=2", "train.precision=fp32"}),
            "the checkpoint was made with another config: run.seed (1 in the checkpoint, 2 now), "
            "train.precision (bf16 in the checkpoint, fp32 now); set them back, or choose another "
            "run.name to start anew");
}

// Defect: a run cannot be extended, moved to other ranks or tuned after a checkpoint.
TEST(ResumeCompatibility, AllowsTheRest) {
  EXPECT_EQ(error_of_change(
                {"train.steps=1000", "optimizer.lr=1e-4", "schedule.warmup_steps=5", "run.name=b",
                 "run.dir=x", "run.resume=never", "train.micro_batch_size=2", "parallel.threads=3",
                 "parallel.device=cpu", "eval.interval=7", "checkpoint.keep=9", "energy.pue=1.5",
                 "data.cache=x", "data.sources=[{path: moved}]", "tokenizer.path=x"}),
            "");
}

// Defect: a change of the learning rate's course that nobody is told of.
TEST(ResumeCompatibility, NamesChangesOfCourse) {
  const Config now = load_config("", {"train.steps=1000", "eval.interval=7"}).config;
  EXPECT_EQ(changed_keys(Config(), now, OnResume::kWarned),
            (std::vector<std::string>{"train.steps (600 in the checkpoint, 1000 now)"}));
}

Config with(const std::vector<std::string>& settings) { return load_config("", settings).config; }

// Defect: a schedule whose decay had begun is computed anew for more steps, and nobody is told that
// the learning rate rises again.
TEST(RateNote, WarnsOfARateThatRisesAgain) {
  const std::vector<std::string> common = {"optimizer.lr=1e-3", "schedule.warmup_steps=2"};
  const auto extended = [&](std::vector<std::string> more) {
    more.insert(more.begin(), common.begin(), common.end());
    return with(more);
  };
  const Config before = extended({"train.steps=20"});
  const Config now = extended({"train.steps=40"});
  const std::optional<RateNote> note = rate_note(before, now, 20);
  ASSERT_TRUE(note.has_value());
  EXPECT_TRUE(note->is_warning);
  EXPECT_NE(note->text.find("was 0.0001 at step 20, the last one"), std::string::npos)
      << note->text;
  EXPECT_NE(note->text.find("it is 0.0005691 at step 21"), std::string::npos) << note->text;
  EXPECT_FALSE(rate_note(before, before, 10).has_value());

  // The settings that it offers go on from the present rate.
  const std::string offer = note->text.substr(note->text.find("schedule.kind="));
  std::istringstream words(offer);
  std::vector<std::string> settings = {"train.steps=40"};
  for (std::string word; words >> word;) settings.push_back(word);
  const Config goes_on = with(settings);
  const auto rate = [&](int64_t step) {
    return learning_rate(goes_on.schedule, goes_on.optimizer.lr, 40, step);
  };
  EXPECT_EQ(rate(20), 1e-4);
  EXPECT_EQ(rate(31), 1e-4);
  EXPECT_DOUBLE_EQ(rate(39), 1e-5);
}

// Defect: a warning where the rate had not begun to fall.
TEST(RateNote, TellsOfAnotherRateWithoutAWarning) {
  const Config before = with({"train.steps=600", "optimizer.lr=1e-3", "schedule.warmup_steps=100"});
  const Config now = with({"train.steps=600", "optimizer.lr=2e-3", "schedule.warmup_steps=100"});
  const std::optional<RateNote> note = rate_note(before, now, 50);
  ASSERT_TRUE(note.has_value());
  EXPECT_FALSE(note->is_warning);
  EXPECT_NE(
      note->text.find("was 0.0005 at step 50 and was to be 0.00051; it is 0.00102 at step 51"),
      std::string::npos)
      << note->text;
}

}  // namespace
}  // namespace lmtrain

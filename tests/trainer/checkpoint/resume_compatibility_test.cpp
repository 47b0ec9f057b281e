#include "trainer/checkpoint/resume_compatibility.h"

#include <sstream>

#include <gtest/gtest.h>

#include "base/config_value.h"
#include "base/error.h"
#include "base/text.h"
#include "tests/temporary_folder.h"
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
  EXPECT_EQ(
      error_of_change({"run.seed=2", "train.precision=fp32"}),
      "the checkpoint was made with another config: run.seed (1 in the checkpoint, 2 now), "
      "train.precision (bf16 in the checkpoint, fp32 now); set them back, choose another "
      "run.name to start anew, or name them in resume.allow if no tensor has another shape by "
      "them");
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

// Defect: a strict resume takes another course.
TEST(ResumeCompatibility, StrictRefusesAnotherCourse) {
  const std::string error =
      error_of_change({"resume.mode=strict", "train.steps=1000", "eval.interval=7"});
  EXPECT_NE(error.find("train.steps (600 in the checkpoint, 1000 now)"), std::string::npos)
      << error;
  EXPECT_EQ(error.find("eval.interval"), std::string::npos) << error;
}

// Defect: what resume.allow names is refused, or what it does not name is not.
TEST(ResumeCompatibility, AllowsWhatIsNamed) {
  EXPECT_EQ(error_of_change({"run.seed=2", "resume.allow=[run.seed]"}), "");
  EXPECT_EQ(error_of_change({"optimizer.eps=1e-6", "resume.allow=[optimizer]"}), "");
  const std::string error =
      error_of_change({"run.seed=2", "model.dropout=0.1", "resume.allow=[run.seed, tokenizer]"});
  EXPECT_NE(error.find("model.dropout"), std::string::npos) << error;
  EXPECT_EQ(error.find("run.seed ("), std::string::npos) << error;
}

// Defect: weights alone are taken, and the optimizer's settings must still be the old ones.
TEST(ResumeCompatibility, WeightsAloneFreeTheOptimizer) {
  const Config now = load_config("", {"optimizer.kind=muon", "optimizer.eps=1e-6"}).config;
  EXPECT_NO_THROW(check_resume_compatibility(Config(), now, /*weights_alone=*/true));
  EXPECT_THROW(check_resume_compatibility(Config(), now), ConfigError);
  const Config seed = load_config("", {"run.seed=2"}).config;
  EXPECT_THROW(check_resume_compatibility(Config(), seed, /*weights_alone=*/true), ConfigError);
}

// Defect: what is allowed passes in strict mode; the content of the text allows keys of the
// section.
TEST(ResumeCompatibility, AllowsNoMoreThanItSays) {
  EXPECT_NE(error_of_change({"run.seed=2", "resume.allow=[run.seed]", "resume.mode=strict"}), "");
  EXPECT_NE(error_of_change({"data.sequence_length=128", "resume.allow=[data]"}), "");
}

// Defect: an entry that allows nothing is accepted and ignored.
TEST(ResumeCompatibility, RefusesNamesThatAllowNothing) {
  for (const char* allow : {"tokeniser", "run.name", "model.layers"}) {
    const LoadedConfig loaded = load_config("", {cat("resume.allow=[", allow, "]")});
    EXPECT_THROW(check_allowed_changes(loaded), ConfigError) << allow;
  }
  EXPECT_NO_THROW(check_allowed_changes(
      load_config("", {"resume.allow=[tokenizer, data, model.dropout, model]"})));
}

// Defect: a phase that may not read other text, or that may go on with another optimizer or model.
TEST(ResumeCompatibility, ANewPhaseHasItsOwnTextLoopAndSeed) {
  const Config before = load_config("", {}).config;
  EXPECT_NO_THROW(check_new_phase(
      before,
      load_config("", {"data.sequence_length=64", "data.validation_fraction=0.2", "run.seed=9",
                       "train.global_batch_size=4", "train.steps=7", "optimizer.lr=1e-5",
                       "schedule.kind=linear", "tokenizer.vocab_size=300"})
          .config,
      10));
  for (const std::string setting : {"optimizer.kind=muon", "optimizer.betas=[0.8,0.9]",
                                    "model.num_layers=3", "train.precision=fp64"}) {
    const std::string message = message_of<ConfigError>(
        [&] { check_new_phase(before, load_config("", {setting}).config, 10); });
    EXPECT_NE(message.find(setting.substr(0, setting.find('='))), std::string::npos) << message;
  }
  EXPECT_NO_THROW(check_new_phase(
      before,
      load_config("", {"optimizer.betas=[0.8,0.9]", "resume.allow=[optimizer.betas]"}).config, 10));
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

#include "trainer/checkpoint/resume_compatibility.h"

#include <gtest/gtest.h>

#include "base/config_value.h"
#include "base/error.h"
#include "trainer/config/load_config.h"

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

}  // namespace
}  // namespace lmtrain

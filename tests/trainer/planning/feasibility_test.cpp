#include "trainer/planning/feasibility.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "models/model_sizes.h"
#include "trainer/planning/memory_estimate.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kGiB = int64_t{1} << 30;

// A folder with a text and room for runs; a config that works there.
class Feasibility : public ::testing::Test {
 public:
  Feasibility() : root_(fs::temp_directory_path() / cat("feasibility_", getpid())) {
    fs::create_directories(root_);
    std::ofstream(root_ / "text") << "some text\n";
  }
  ~Feasibility() override { fs::remove_all(root_); }

 protected:
  LoadedConfig load(const std::vector<std::string>& overrides, const std::string& yaml = "") const {
    const fs::path path = root_ / "x.yaml";
    std::ofstream(path) << cat("run: {dir: ", (root_ / "runs").string(), "}\n",
                               "data: {sources: [{path: ", (root_ / "text").string(), "}]}\n",
                               yaml);
    LoadedConfig loaded = load_config(path, overrides);
    fs::remove(path);
    return loaded;
  }

  template <class Action>
  static std::string error_of(const Action& action, ExitCode code) {
    try {
      action();
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
      return error.what();
    }
  }

  std::string first_error(const std::vector<std::string>& overrides, int num_ranks = 1,
                          ExitCode code = ExitCode::kConfig) const {
    return error_of([&] { check_before_data(load(overrides), num_ranks); }, code);
  }

  static MachineFacts enough() {
    return {.tokenizer_vocab_size = 4096,
            .num_training_samples = 1000,
            .ranks_on_node = 2,
            .free_disk_bytes = 100 * kGiB,
            .memory = {64 * kGiB, "the node's free memory"},
            .device_memory_bytes = std::nullopt};
  }

  std::string facts_error(const std::vector<std::string>& overrides, const MachineFacts& facts,
                          ExitCode code = ExitCode::kConfig) const {
    return error_of([&] { check_facts(load(overrides), facts); }, code);
  }

  fs::path root_;
};

// Defect: a key of Muon that AdamW ignores without a word, or one that Muon is refused.
TEST_F(Feasibility, KeysOfAnotherOptimizerAreRefused) {
  EXPECT_NE(first_error({"optimizer.muon.momentum=0.9"})
                .find("optimizer.muon.momentum has no effect with optimizer.kind = adamw; leave it "
                      "out or set optimizer.kind = muon"),
            std::string::npos);
  EXPECT_EQ(first_error({"optimizer.kind=muon", "optimizer.muon.momentum=0.9"}), "");
}

// Defect: a run that works is refused, or a check leaves something behind.
TEST_F(Feasibility, AGoodRunPassesAndLeavesNothingBehind) {
  EXPECT_EQ(first_error({}), "");
  EXPECT_EQ(first_error({}, 2), "");
  EXPECT_EQ(facts_error({}, enough()), "");
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), 1);
}

// Defect: a head size that is cut off in silence; a message without the line to look at.
TEST_F(Feasibility, HeadsDivideTheWidth) {
  const LoadedConfig loaded = load({}, "model: {num_layers: 2, hidden_size: 385}\n");
  const std::string error = error_of([&] { check_before_data(loaded, 1); }, ExitCode::kConfig);
  EXPECT_EQ(error,
            cat((root_ / "x.yaml").string(), ":3:37: model.hidden_size = 385 is not divisible by ",
                "model.num_heads = 6; each head takes an equal part"));
  EXPECT_TRUE(
      first_error({"model.num_heads=5"}).starts_with("command line: model.hidden_size = 384"));
}

// Defect: positions past the table of positions.
TEST_F(Feasibility, SequencesFitThePositions) {
  EXPECT_EQ(first_error({"data.sequence_length=256"}), "");
  EXPECT_TRUE(
      first_error({"data.sequence_length=257"})
          .starts_with(
              "command line: data.sequence_length = 257 is more than model.max_positions = 256"));
}

// Defect: a layout that cuts a head in two, or that is accepted and ignored.
TEST_F(Feasibility, TheTensorAxisDividesWhatItCuts) {
  EXPECT_EQ(first_error({"parallel.tensor=2", "parallel.sequence=true", "parallel.zero=3"}, 2), "");
  EXPECT_NE(first_error({"parallel.tensor=2"}, 3).find("does not divide the 3 ranks of this job"),
            std::string::npos);
  EXPECT_NE(
      first_error({"parallel.tensor=4"}, 4)
          .find("parallel.tensor = 4 does not divide model.num_heads = 6; it may be 1, 2, 3, 6"),
      std::string::npos);
  EXPECT_NE(first_error({"parallel.tensor=2", "model.kind=llama", "model.num_kv_heads=3"}, 2)
                .find("model.num_kv_heads = 3"),
            std::string::npos);
  EXPECT_NE(
      first_error({"parallel.tensor=2", "parallel.sequence=true", "data.sequence_length=255"}, 2)
          .find("data.sequence_length with parallel.sequence = 255"),
      std::string::npos);
  EXPECT_NE(first_error({"parallel.sequence=true"}).find("parallel.tensor is 1"),
            std::string::npos);
}

// Defect: samples of a global batch that no rank computes, or that two do.
TEST_F(Feasibility, BatchesDivide) {
  EXPECT_EQ(first_error({"train.global_batch_size=8", "train.micro_batch_size=1"}, 8), "");
  EXPECT_NE(first_error({}, 3).find(
                "train.global_batch_size = 8 is not divisible by 12 (3 data-parallel ranks x "
                "train.micro_batch_size = 4)"),
            std::string::npos);
  EXPECT_NE(first_error({"train.micro_batch_size=3"}), "");
}

// Defect: a run's name that leaves the folder of runs, hides, or is no file name.
TEST_F(Feasibility, RunNamesAreFolderNames) {
  for (const char* name : {"a", "gpt2-small.v2_x", "\"7\""}) {
    EXPECT_EQ(first_error({cat("run.name=", name)}), "") << name;
  }
  for (const char* name :
       {"../x", "a/b", ".hidden", "..", "\"\"", "\"a b\"", "\"a\\nb\"", "\"\xc3\xa4\""}) {
    EXPECT_NE(first_error({cat("run.name=", name)}).find("run.name"), std::string::npos) << name;
  }
  EXPECT_NE(first_error({cat("run.name=", std::string(101, 'a'))}), "");
}

// Defect: a run computes for hours and then cannot write.
TEST_F(Feasibility, TheOutputFolderIsWritable) {
  EXPECT_NE(first_error({cat("run.dir=", (root_ / "text").string())}).find("is not a folder"),
            std::string::npos);
  EXPECT_NE(first_error({"run.dir=\"\""}), "");
  EXPECT_NE(first_error({"run.dir=/proc/x"}), "");
}

// Defect: missing text or tokenizer shows up only after the others have waited; exit code of a
// config error.
TEST_F(Feasibility, SourcesAndTokenizerAreThere) {
  EXPECT_NE(first_error({"data.sources=[]"}).find("data.sources names no text"), std::string::npos);
  EXPECT_NE(first_error({"data.sources=[{separator: x}]"}).find("data.sources.0.path is empty"),
            std::string::npos);
  EXPECT_EQ(first_error({"data.sources.1={path: /no/such}"}, 1, ExitCode::kData),
            "command line: data.sources.1.path = /no/such does not exist");
  EXPECT_NE(first_error({cat("tokenizer.path=", root_.string())}, 1, ExitCode::kData)
                .find("tokenizer.json"),
            std::string::npos);
}

// Defect: token ids past the end of the embedding.
TEST_F(Feasibility, TheVocabularyHoldsTheTokenizers) {
  // A text may give fewer entries than tokenizer.vocab_size asks for.
  EXPECT_EQ(first_error({"model.vocab_size=4095"}), "");
  MachineFacts facts = enough();
  EXPECT_EQ(facts_error({"model.vocab_size=4096"}, facts), "");
  facts.tokenizer_vocab_size = 4097;
  EXPECT_NE(facts_error({"model.vocab_size=4096"}, facts).find("less than the tokenizer's 4097"),
            std::string::npos);
}

// Defect: a global batch that holds the same text twice because there is no more.
TEST_F(Feasibility, OneGlobalBatchOfText) {
  MachineFacts facts = enough();
  facts.num_training_samples = 8;
  EXPECT_EQ(facts_error({}, facts), "");
  facts.num_training_samples = 7;
  EXPECT_NE(
      facts_error({}, facts, ExitCode::kData).find("has 7 sequences of data.sequence_length = 256"),
      std::string::npos);
}

// Defect: the disk is full at the second save.
TEST_F(Feasibility, DiskForTwoCheckpoints) {
  MachineFacts facts = enough();
  facts.free_disk_bytes = 2 * checkpoint_bytes(load({}).config, 4096);
  EXPECT_EQ(facts_error({}, facts), "");
  facts.free_disk_bytes -= 1;
  EXPECT_NE(facts_error({}, facts).find("two checkpoints of this model take"), std::string::npos);
}

// Defect: all ranks of a node each find their own need small enough.
TEST_F(Feasibility, MemoryCountsAllRanksOfTheNode) {
  MachineFacts facts = enough();
  facts.memory = {kGiB, "the limit of control group /job"};
  const std::vector<std::string> config = {"parallel.bucket_mib=1"};
  facts.ranks_on_node = 1;
  EXPECT_EQ(facts_error(config, facts), "");
  facts.ranks_on_node = 8;
  const std::string error = facts_error(config, facts);
  EXPECT_NE(error.find("8 ranks on this node need about"), std::string::npos) << error;
  EXPECT_NE(error.find("there are 1.0 GiB (the limit of control group /job)"), std::string::npos)
      << error;
}

// Defect: a run that fits without a copy for its saves is refused with advice to make it smaller.
TEST_F(Feasibility, WhereOnlySavesAreTooMuchTheyNeedNotRunBesideTraining) {
  MachineFacts facts = enough();
  facts.ranks_on_node = 1;
  const std::vector<std::string> waits = {"checkpoint.asynchronous=false"};
  for (facts.memory.bytes = kGiB / 4; !facts_error(waits, facts).empty();
       facts.memory.bytes += kGiB / 64)
    ASSERT_LT(facts.memory.bytes, 8 * kGiB);
  EXPECT_NE(facts_error({}, facts).find("set checkpoint.asynchronous=false"), std::string::npos);
}

// Defect: a key that does nothing.
TEST_F(Feasibility, AMeanTimeBetweenFailuresIsForAutomaticIntervals) {
  EXPECT_NE(first_error({"checkpoint.mtbf_hours=5"}).find("has no effect"), std::string::npos);
  EXPECT_EQ(first_error({"checkpoint.mtbf_hours=5", "checkpoint.interval=auto"}), "");
}

// Defect: the host's memory is asked for ranks on GPUs, or the GPU's is not.
TEST_F(Feasibility, RanksOnGpusNeedTheirGpusMemory) {
  MachineFacts facts = enough();
  facts.memory = {2 * kGiB, "the node's free memory"};
  facts.device_memory_bytes = 40 * kGiB;
  EXPECT_EQ(facts_error({}, facts), "");
  facts.memory.bytes = kGiB / 2;  // less than saves of two ranks take of the host
  EXPECT_NE(facts_error({}, facts).find("saves need about"), std::string::npos);
  facts.device_memory_bytes = kGiB / 8;
  EXPECT_NE(facts_error({}, facts).find("its GPU has 128.0 MiB free"), std::string::npos);
}

// Defect: the shortest trial run of a config is refused for its warm-up, or nobody is told.
TEST_F(Feasibility, AWarmUpLongerThanTheRunIsANote) {
  EXPECT_EQ(first_error({"train.steps=3"}), "");
  EXPECT_EQ(schedule_notes(load({"train.steps=3"}).config).size(), 1u);
  EXPECT_EQ(schedule_notes(load({}).config).size(), 0u);
  EXPECT_EQ(schedule_notes(load({"schedule={kind: constant_then_decay, decay_fraction: 1}"}).config)
                .size(),
            1u);
}

// Defect: a config that comes with the project does not fit itself, or its documented rank counts.
TEST_F(Feasibility, TheProjectsConfigsPass) {
  const std::string source = cat("data.sources=[{path: ", (root_ / "text").string(), "}]");
  const std::string dir = cat("run.dir=", (root_ / "runs").string());
  const fs::path configs = fs::path(LMTRAIN_SOURCE_DIR) / "configs";
  for (const int ranks : {1, 2}) {
    check_before_data(load_config(configs / "quickstart.yaml", {source, dir}), ranks);
    check_before_data(load_config(configs / "gpt2-tiny.yaml", {source, dir}), ranks);
  }
  const LoadedConfig trial = load_config(
      configs / "gpt2-small.yaml",
      {source, dir, "train.steps=3", "train.global_batch_size=8", "model.num_layers=4"});
  check_before_data(trial, 8);
  MachineFacts facts = enough();
  facts.tokenizer_vocab_size = 50257;
  facts.num_ranks = 8;
  facts.ranks_on_node = 8;
  facts.memory = {20 * kGiB, "the node's free memory"};
  check_facts(trial, facts);
}

// Defect: a recipe that does not fit the hardware it is meant for, or a size that is not its
// name's.
TEST_F(Feasibility, TheRecipesFitTheirHardware) {
  struct Recipe {
    const char* name;
    int64_t num_tokens, num_parameters;
  };
  for (const Recipe& recipe :
       {Recipe{"gpt2-small", 50257, 124'439'808}, Recipe{"gpt2-medium", 50257, 354'823'168},
        Recipe{"gpt2-large", 50257, 774'030'080}, Recipe{"gpt2-xl", 50257, 1'557'611'200},
        Recipe{"llama-1b", 32000, 1'100'048'384}, Recipe{"llama-8b", 128256, 8'030'261'248},
        Recipe{"bert-base", 30522, 110'106'428}, Recipe{"bert-large", 30522, 336'226'108}}) {
    const LoadedConfig loaded =
        load_config(fs::path(LMTRAIN_SOURCE_DIR) / "configs" / cat(recipe.name, ".yaml"),
                    {cat("data.sources=[{path: ", (root_ / "text").string(), "}]"),
                     cat("run.dir=", (root_ / "runs").string())});
    EXPECT_EQ(sizes_of(loaded.config.model, recipe.num_tokens).num_parameters,
              recipe.num_parameters)
        << recipe.name;
    check_before_data(loaded, 8);
    MachineFacts node = enough();  // of eight GPUs of 80 GB
    node.tokenizer_vocab_size = recipe.num_tokens;
    node.num_training_samples = int64_t{1} << 20;
    node.free_disk_bytes = 1000 * kGiB;
    node.num_ranks = 8;
    node.ranks_on_node = 8;
    node.device_memory_bytes = 79 * kGiB;
    node.memory = {512 * kGiB, "the node's free memory"};
    check_facts(loaded, node);
  }
}

}  // namespace
}  // namespace lmtrain

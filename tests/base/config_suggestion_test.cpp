#include "base/config_suggestion.h"

#include <gtest/gtest.h>

#include "base/config_reader.h"
#include "base/error.h"

namespace lmtrain {
namespace {

struct Rate {
  double lr = 1.0;
  std::string kind = "adamw";
  void describe(Fields& f) {
    f.real("lr", lr, {}, "Rate.");
    f.text("kind", kind, "Kind.");
  }
};

struct Batches {
  int64_t global_size = 8;
  int64_t micro_size = 4;
  int64_t steps = 1;
  void describe(Fields& f) {
    f.integer("global_size", global_size, {}, "All.");
    f.integer("micro_size", micro_size, {}, "At once.");
    f.integer("steps", steps, {}, "Steps.");
  }
};

struct Whole {
  std::string name = "x";
  Rate rate;
  Batches batches;
  void describe(Fields& f) {
    f.text("name", name, "Name.");
    f.section("rate", rate, "Rate.");
    f.section("batches", batches, "Batches.");
  }
};

const std::vector<Synonyms>& rows() {
  static const std::vector<Synonyms> synonyms = {
      {{"learning_rate"}, {"rate.lr"}, ""},
      {{"batch_size"}, {"batches.global_size", "batches.micro_size"}, ""},
      {{"epochs"}, {"batches.steps"}, "in steps"},
      {{"name", "type"}, {"rate.kind"}, ""},
      {{"gpus"}, {}, "mpirun says how many"},
  };
  return synonyms;
}

// Returns what the error about a setting of the command line, or about the text
// of a file, suggests.
std::string suggested(const std::function<void(const Fields&, ConfigPositions&)>& apply) {
  Whole whole;
  Fields fields;
  whole.describe(fields);
  ConfigPositions positions;
  try {
    apply(fields, positions);
  } catch (const ConfigError& error) {
    const std::string message = error.what();
    return message.substr(message.find("'; ") + 3);
  }
  return "no error";
}

std::string of_setting(const std::string& argument) {
  return suggested([&](const Fields& fields, ConfigPositions& positions) {
    apply_override(fields, argument, positions, rows());
  });
}

std::string of_file(const std::string& text) {
  return suggested([&](const Fields& fields, ConfigPositions& positions) {
    const YamlSource source = {"x.yaml"};
    apply_yaml(fields, parse_yaml_mapping(text, source), source, positions, rows());
  });
}

// Defect: a word of another program that leads to no key, or to a key that merely looks like it.
TEST(ConfigSuggestion, LeadsWordsOfOtherProgramsToTheKey) {
  for (const char* text : {"learning_rate: 1\n", "rate: {learning_rate: 1}\n",
                           "batches: {learning_rate: 1}\n", "Learning-Rate: 1\n"}) {
    EXPECT_EQ(of_file(text), "did you mean 'rate.lr'?") << text;
  }
  for (const char* setting : {"learning_rate=1", "rate.learning_rate=1", "batches.learning_rate=1",
                              "unknown.learning_rate=1", "learnig_rate=1"}) {
    EXPECT_EQ(of_setting(setting), "did you mean 'rate.lr'?") << setting;
  }
}

// Defect: for a word that sets two keys or needs a remark, the suggestion lacks a part.
TEST(ConfigSuggestion, NamesAllKeysAndTheRemark) {
  EXPECT_EQ(of_setting("batch_size=8"),
            "did you mean 'batches.global_size' or 'batches.micro_size'?");
  EXPECT_EQ(of_setting("epochs=8"), "did you mean 'batches.steps'? (in steps)");
  EXPECT_EQ(of_setting("gpus=8"), "mpirun says how many");
  EXPECT_EQ(of_file("gpus: 8\n"), "mpirun says how many");
}

// Defect: the key that is suggested is in another section, although this section has a key for it.
TEST(ConfigSuggestion, PrefersTheSectionThatWasWritten) {
  EXPECT_EQ(of_file("rate: {name: adamw}\n"), "did you mean 'rate.kind'?");
  EXPECT_EQ(of_setting("rate.type=adamw"), "did you mean 'rate.kind'?");
  EXPECT_EQ(of_setting("rates.type=adamw"), "did you mean 'rate.kind'?");
  EXPECT_EQ(of_file("batches: {name: adamw}\n"), "did you mean 'name'?");
}

// Defect: a mistyped key of ours is taken for a word of another program.
TEST(ConfigSuggestion, PrefersOurOwnKeys) {
  EXPECT_EQ(of_setting("batches.stpes=1"), "did you mean 'batches.steps'?");
  EXPECT_EQ(of_setting("batchs.steps=1"), "did you mean 'batches.steps'?");
  EXPECT_EQ(of_file("\"\": 1\n"), "the keys here are name, rate, batches");
  EXPECT_EQ(of_file("zzzzzzz: 1\n"), "the keys here are name, rate, batches");
}

// Defect: an option is compared with its dashes, or only in one spelling.
TEST(ConfigSuggestion, FindsOptionsInAnySpelling) {
  EXPECT_EQ(find_synonyms(rows(), "--learning-rate"), rows().data());
  EXPECT_EQ(find_synonyms(rows(), "-LEARNING_RATE"), rows().data());
  EXPECT_EQ(find_synonyms(rows(), "--"), nullptr);
  EXPECT_EQ(find_synonyms(rows(), ""), nullptr);
  EXPECT_EQ(find_synonyms(rows(), "--lr"), nullptr);
}

}  // namespace
}  // namespace lmtrain

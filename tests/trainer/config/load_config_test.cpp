#include "trainer/config/load_config.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <gtest/gtest.h>

#include "base/config_value.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/text.h"
#include "trainer/config/config_document.h"

namespace lmtrain {
namespace {

const std::filesystem::path kSource = LMTRAIN_SOURCE_DIR;

template <class Action>
std::string error_of(const Action& action) {
  try {
    action();
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

// The error of a file that sets the key `name` of `section` ("" for the root), "" when it is read.
std::string error_of_file(const std::string& section, const std::string& name,
                          const std::string& value) {
  const std::string line = name + ": " + value + "\n";
  const std::string text = section.empty() ? line : section + ":\n  " + line;
  return error_of([&] { parse_config(text, "x.yaml"); });
}

std::string error_of_override(const std::string& argument) {
  return error_of([&] { load_config("", {argument}); });
}

// Every section and every key of the whole config, with its section's name ("" for a section).
struct Described {
  std::string section;
  Field field;
  std::string dotted() const { return section.empty() ? field.key : section + "." + field.key; }
};

class EveryKey : public ::testing::Test {
 protected:
  EveryKey() {
    config_.describe(fields_);
    for (const Field& section : fields_.all()) {
      all_.push_back({"", section});
      const auto* const inner = std::get_if<SectionField>(&section.kind);
      if (inner == nullptr) continue;  // a key of the root
      for (const Field& field : inner->fields->all()) all_.push_back({section.key, field});
    }
  }

  bool is_known(const std::string& section, const std::string& name) const {
    return std::any_of(all_.begin(), all_.end(), [&](const Described& known) {
      return known.section == section && known.field.key == name;
    });
  }

  Config config_;
  Fields fields_;
  std::vector<Described> all_;
};

std::vector<std::string> typos_of(const std::string& name) {
  std::string swapped = name, doubled = name, capital = name;
  std::swap(swapped[0], swapped[1]);
  doubled.insert(1, 1, doubled[0]);
  capital[0] = static_cast<char>(std::toupper(capital[0]));
  return {swapped, doubled, capital, name + "_", name.substr(1)};
}

// Defect: any key's typo that is ignored, or whose message does not name the key that was meant.
TEST_F(EveryKey, TyposAreRefusedAndNamed) {
  EXPECT_GT(all_.size(), 50u);
  for (const Described& key : all_) {
    for (const std::string& typo : typos_of(key.field.key)) {
      if (is_known(key.section, typo)) continue;
      const std::string dotted = key.section.empty() ? typo : key.section + "." + typo;
      const std::string place = key.section.empty() ? "x.yaml:1:1: " : "x.yaml:2:3: ";
      const std::string file_error = error_of_file(key.section, typo, "1");
      EXPECT_TRUE(file_error.starts_with(cat(place, "unknown key '", dotted, "'"))) << file_error;
      const std::string override_error = error_of_override(dotted + "=1");
      EXPECT_TRUE(override_error.starts_with(
          cat("command line: ", dotted, "=1: unknown key '", dotted, "'")))
          << override_error;
      if (typo.size() < 3) continue;  // of "lr", almost nothing is left
      EXPECT_NE(file_error.find(cat("did you mean '", key.dotted(), "'?")), std::string::npos)
          << file_error;
    }
  }
}

// Values that are wrong for each kind of field, one overload per kind.
struct WrongValues {
  std::vector<std::string> operator()(const IntegerField&) const {
    return {"abc",
            "'5'",
            "\"5\"",
            "5.0",
            "1e3",
            "010",
            "0x10",
            "1_0",
            "+5",
            "true",
            "[5]",
            "{a: 5}",
            "~",
            ".inf",
            "99999999999999999999",
            "-99999999999999999999"};
  }
  std::vector<std::string> operator()(const OptionalIntegerField& field) const {
    std::vector<std::string> values = {cat("'", field.none, "'"), field.none + "s"};
    for (const std::string& value : (*this)(IntegerField{})) values.push_back(value);
    return values;
  }
  std::vector<std::string> operator()(const RealField&) const {
    return {"abc", "'0.5'", "true", "[0.5]", "{a: 0.5}", "~",    ".5",    "5.", "010",
            "0x1", "inf",   ".inf", "-.inf", "nan",      ".nan", "1e999", "1_0"};
  }
  std::vector<std::string> operator()(const OptionalRealField& field) const {
    std::vector<std::string> values = {"abc", cat("'", field.none, "'"), field.none + "s"};
    for (const std::string& value : (*this)(RealField{})) values.push_back(value);
    return values;
  }
  std::vector<std::string> operator()(const DurationField& field) const {
    return {"5",      "0.5",     "true", "abc",  "'5m'", "~",
            "[5m]",   "{a: 5m}", "5x",   "5m1h", "5m5m", "-5m",
            "1.5h5m", "5 m",     "5.s",  "1e3s", "inf",  cat("'", field.none, "'"),
            "3:50:00"};
  }
  std::vector<std::string> operator()(const BooleanField&) const {
    return {"yes", "1", "'true'", "True", "[true]", "{a: true}", "~"};
  }
  std::vector<std::string> operator()(const TextField&) const {
    return {"5", "0.5", "true", "false", "[a]", "{a: b}", "~", "null"};
  }
  std::vector<std::string> operator()(const ChoiceField& field) const {
    return {"5",
            "true",
            cat("[", field.choices[0], "]"),
            cat("{a: ", field.choices[0], "}"),
            "~",
            field.choices[0] + "x",
            "\"\""};
  }
  std::vector<std::string> operator()(const RealsField&) const {
    return {"0.5",    "abc",          "true",     "{a: 0.5}",
            "~",      "[]",           "[0.5]",    "[0.5, 0.5, 0.5]",
            "[a, b]", "['0.5', 0.5]", "[0.5, ~]", "[0.5, [0.5]]"};
  }
  std::vector<std::string> operator()(const TextsField&) const {
    return {"5", "abc", "{a: b}", "~", "[5]", "[[a]]", "[a, true]", "[a, ~]"};
  }
  std::vector<std::string> operator()(const SectionField&) const {
    return {"5", "abc", "true", "[a]", "~", "''"};
  }
  std::vector<std::string> operator()(const ListField&) const {
    return {"5",           "abc",           "{path: a}", "[a]", "[[{path: a}]]",
            "[{path: 5}]", "[{path: [a]}]", "[~]",       "~"};
  }
};

// Defect: a value of another type that is converted, cut or taken for the default.
TEST_F(EveryKey, WrongTypesAreRefusedWithThePlace) {
  for (const Described& key : all_) {
    for (const std::string& value : std::visit(WrongValues{}, key.field.kind)) {
      const std::string file_error = error_of_file(key.section, key.field.key, value);
      EXPECT_TRUE(file_error.starts_with(key.section.empty() ? "x.yaml:1:" : "x.yaml:2:"))
          << key.dotted() << ": " << value << " -> " << file_error;
      EXPECT_NE(file_error.find(key.dotted()), std::string::npos) << file_error;
      const std::string argument = key.dotted() + "=" + value;
      const std::string override_error = error_of_override(argument);
      EXPECT_TRUE(override_error.starts_with(cat("command line: ", argument, ": ", key.dotted())))
          << argument << " -> " << override_error;
    }
  }
}

// Defect: an integer so large that its products overflow, and what they count is empty: a
// validation of no batch, without a word.
TEST_F(EveryKey, IntegersHaveLimits) {
  for (const Described& key : all_) {
    const auto* const integer = std::get_if<IntegerField>(&key.field.kind);
    EXPECT_TRUE(integer == nullptr || integer->limits.max <= int64_t{1} << 62) << key.dotted();
  }
}

void check_integer_limits(const std::string& key, const IntegerLimits& limits,
                          const std::function<bool(const std::string&)>& accepts) {
  EXPECT_TRUE(accepts(std::to_string(limits.min))) << key;
  EXPECT_FALSE(accepts(std::to_string(limits.min - 1))) << key;
  EXPECT_TRUE(accepts(std::to_string(limits.max))) << key;
  if (limits.max < INT64_MAX) {
    EXPECT_FALSE(accepts(std::to_string(limits.max + 1))) << key;
  }
}

void check_real_limits(const std::string& key, const RealLimits& limits,
                       const std::function<bool(const std::string&)>& accepts) {
  ASSERT_TRUE(std::isfinite(limits.min)) << key;
  EXPECT_EQ(accepts(shortest(limits.min)), !limits.min_excluded) << key;
  EXPECT_FALSE(accepts(shortest(limits.min - 1e-3))) << key;
  if (!std::isfinite(limits.max)) return;
  EXPECT_EQ(accepts(shortest(limits.max)), !limits.max_excluded) << key;
  EXPECT_FALSE(accepts(shortest(limits.max * 1.001))) << key;
}

// Defect: a documented limit that is not checked, or refuses the limit itself.
TEST_F(EveryKey, LimitsAreChecked) {
  for (const Described& key : all_) {
    const auto accepts = [&](const std::string& value) {
      return error_of_override(key.dotted() + "=" + value).empty();
    };
    if (const auto* field = std::get_if<IntegerField>(&key.field.kind)) {
      check_integer_limits(key.dotted(), field->limits, accepts);
    } else if (const auto* number = std::get_if<OptionalIntegerField>(&key.field.kind)) {
      EXPECT_TRUE(accepts(number->none)) << key.dotted();
      check_integer_limits(key.dotted(), number->limits, accepts);
    } else if (const auto* real = std::get_if<RealField>(&key.field.kind)) {
      check_real_limits(key.dotted(), real->limits, accepts);
    } else if (const auto* optional = std::get_if<OptionalRealField>(&key.field.kind)) {
      EXPECT_TRUE(accepts(optional->none)) << key.dotted();
      check_real_limits(key.dotted(), optional->limits, accepts);
    } else if (const auto* duration = std::get_if<DurationField>(&key.field.kind)) {
      for (const std::string& value :
           {duration->none, std::string("0s"), std::string("1d2h3m4.5s")})
        EXPECT_TRUE(accepts(value)) << key.dotted();
    } else if (const auto* choice = std::get_if<ChoiceField>(&key.field.kind)) {
      for (const std::string& value : choice->choices) EXPECT_TRUE(accepts(value)) << key.dotted();
    }
  }
}

// Defect: a key whose doc is empty, or a default that its own limits refuse.
TEST_F(EveryKey, DefaultsAreDocumentedAndValid) {
  for (const Described& key : all_) EXPECT_FALSE(key.field.doc.empty()) << key.dotted();
  EXPECT_EQ(error_of([] { parse_config(print_config(Config()), "defaults"); }), "");
}

// Defect: the resolved config of a run reads back as another run.
TEST(LoadConfig, PrintedConfigsReadBack) {
  for (const char* name : {"quickstart", "gpt2-small", "gpt2-tiny"}) {
    const auto path = kSource / "configs" / (std::string(name) + ".yaml");
    const LoadedConfig loaded =
        load_config(path, {"run.name=\"a: b # 'c'\"", "optimizer.lr=1.7e-5"});
    const std::string text = print_config(loaded.config);
    const Config again = parse_config(text, "printed").config;
    EXPECT_EQ(print_config(again), text);
    EXPECT_EQ(again.run.name, "a: b # 'c'");
    EXPECT_EQ(again.optimizer.lr, 1.7e-5);
    EXPECT_EQ(again.model.hidden_size, loaded.config.model.hidden_size);
    EXPECT_EQ(again.data.sources[0].separator, "%");
  }
}

// Defect: a name that people type in configs and scripts is not the program's.
TEST(LoadConfig, ReadsTheDocumentedNames) {
  const LoadedConfig loaded = parse_config(
      "run: {name: quickstart, dir: runs, seed: 1, resume: auto}\n"
      "model: {kind: gpt2, num_layers: 6, num_heads: 6, hidden_size: 384, max_positions: 256,\n"
      "        dropout: 0.0, vocab_size: 5000}\n"
      "tokenizer: {kind: bpe, vocab_size: 4096, path: folder}\n"
      "data: {sources: [{path: corpus/fortunes, separator: \"%\"}], validation_fraction: 0.05,\n"
      "       sequence_length: 256}\n"
      "train: {steps: 600, global_batch_size: 8, micro_batch_size: 4, precision: bf16,\n"
      "        clip_grad_norm: 1.0}\n"
      "optimizer: {kind: adamw, lr: 6.0e-4, betas: [0.9, 0.95], eps: 1.0e-8, weight_decay: 0.1}\n"
      "schedule: {kind: cosine, warmup_steps: 20, min_lr_ratio: 0.1}\n"
      "eval: {interval: 50, batches: 20}\n"
      "parallel: {tensor: 1, zero: 0}\n"
      "checkpoint: {interval: 100, keep: 3}\n"
      "energy: {interval_seconds: 1.0, pue: 1.0, region: DEU, intensity_g_per_kwh: 300}\n",
      "x.yaml");
  const Config& c = loaded.config;
  EXPECT_EQ(c.run.name, "quickstart");
  EXPECT_EQ(c.model.vocab_size, 5000);
  EXPECT_EQ(c.data.sources[0].path, "corpus/fortunes");
  EXPECT_EQ(c.data.sources[0].separator, "%");
  EXPECT_EQ(c.optimizer.betas, (std::vector<double>{0.9, 0.95}));
  EXPECT_EQ(c.energy.region, "DEU");
  EXPECT_EQ(loaded.positions.at("train.steps"), "x.yaml:7:16");
  EXPECT_EQ(loaded.positions.at("parallel.threads"), "x.yaml:12:11");
  EXPECT_EQ(loaded.positions.at("eval"), "x.yaml:11:7");
}

// Defect: the typo of an override is not named, or an earlier override wins.
TEST(LoadConfig, OverridesAreCheckedAndTheLastWins) {
  const auto path = kSource / "configs/quickstart.yaml";
  EXPECT_EQ(error_of([&] { load_config(path, {"train.stpes=5"}); }),
            "command line: train.stpes=5: unknown key 'train.stpes'; did you mean 'train.steps'?");
  const LoadedConfig loaded = load_config(path, {"train.steps=5", "train.steps=7"});
  EXPECT_EQ(loaded.config.train.steps, 7);
  EXPECT_EQ(loaded.positions.at("train.steps"), "command line");
  EXPECT_EQ(load_config("", {}).name, "command line");
}

// Defect: a missing file, or a folder, ends in another exit code than a wrong config.
TEST(LoadConfig, AFileThatCannotBeReadIsAConfigError) {
  const std::string error = error_of([] { load_config("no/such.yaml", {}); });
  EXPECT_NE(error.find("no/such.yaml: No such file"), std::string::npos) << error;
  EXPECT_NE(error_of([] { load_config(kSource / "configs", {}); }), "");
}

// Defect: docs/config.md says other keys, limits or defaults than the program has.
TEST(ConfigDocument, IsUpToDate) {
  EXPECT_TRUE(read_file(kSource / "docs/config.md") == config_markdown())
      << "run: build/lmtrain config --markdown > docs/config.md";
}

// Defect: a key without a row, or a row that breaks the table.
TEST_F(EveryKey, HasARowInTheDocument) {
  const std::string text = config_markdown();
  for (const Described& key : all_) {
    if (key.section.empty()) continue;
    const size_t row = text.find("\n| `" + key.dotted() + "` | ");
    ASSERT_NE(row, std::string::npos) << key.dotted();
    const std::string line = text.substr(row + 1, text.find('\n', row + 1) - row - 1);
    EXPECT_EQ(std::count(line.begin(), line.end(), '|'), 6) << line;
  }
}

}  // namespace
}  // namespace lmtrain

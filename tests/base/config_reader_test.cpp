#include "base/config_reader.h"

#include <gtest/gtest.h>

#include "base/config_writer.h"
#include "base/error.h"

namespace lmtrain {
namespace {

struct Part {
  std::string path;
  std::string mark = "%";
  void describe(Fields& f) {
    f.text("path", path, "Path.");
    f.text("mark", mark, "Mark.");
  }
};

struct Loop {
  int64_t steps = 10;
  int64_t any = 0;
  double rate = 0.5;
  bool shuffle = true;
  std::string kind = "cosine";
  std::vector<double> betas = {0.9, 0.95};
  void describe(Fields& f) {
    f.integer("steps", steps, {.min = 1, .max = 1000}, "Steps | of the loop.");
    f.integer("any", any, {}, "Any.");
    f.real("rate", rate, {.min = 0.0, .max = 1.0, .max_excluded = true}, "Rate.");
    f.boolean("shuffle", shuffle, "Shuffle.");
    f.choice("kind", kind, {"cosine", "linear"}, "Kind.");
    f.reals("betas", betas, 2, {.min = 0.0, .max = 1.0}, "Betas.");
  }
};

struct Whole {
  std::string name = "x";
  Loop loop;
  std::vector<Part> parts;
  void describe(Fields& f) {
    f.text("name", name, "Name.");
    f.section("loop", loop, "Loop.");
    f.list("parts", parts, "Parts.");
  }
};

class ConfigReader : public ::testing::Test {
 protected:
  ConfigReader() { whole.describe(fields); }

  void read(const std::string& text) {
    const YamlSource source = {"x.yaml"};
    apply_yaml(fields, parse_yaml_mapping(text, source), source, positions);
  }
  void override_with(const std::string& argument) { apply_override(fields, argument, positions); }

  std::string error_of_file(const std::string& text) {
    return error_of([&] { read(text); });
  }
  std::string error_of_override(const std::string& argument) {
    return error_of([&] { override_with(argument); });
  }

  Whole whole;
  Fields fields;
  ConfigPositions positions;

 private:
  template <class Action>
  static std::string error_of(const Action& action) {
    try {
      action();
      return "";
    } catch (const ConfigError& error) {
      return error.what();
    }
  }
};

// Defect: a key that is read into another field, or not at all.
TEST_F(ConfigReader, SetsEveryKindOfField) {
  read(
      "name: 'abc'\n"
      "loop: {steps: 7, any: -9223372036854775808, rate: 2.5e-1, shuffle: false, kind: linear, "
      "betas: [0, 1]}\n"
      "parts:\n  - path: a\n  - {path: b, mark: ''}\n");
  EXPECT_EQ(whole.name, "abc");
  EXPECT_EQ(whole.loop.steps, 7);
  EXPECT_EQ(whole.loop.any, INT64_MIN);
  EXPECT_EQ(whole.loop.rate, 0.25);
  EXPECT_FALSE(whole.loop.shuffle);
  EXPECT_EQ(whole.loop.kind, "linear");
  EXPECT_EQ(whole.loop.betas, (std::vector<double>{0.0, 1.0}));
  ASSERT_EQ(whole.parts.size(), 2u);
  EXPECT_EQ(whole.parts[0].mark, "%");
  EXPECT_EQ(whole.parts[1].path, "b");
  EXPECT_EQ(whole.parts[1].mark, "");
}

// Defect: a typo that is ignored, or named without the key that was meant.
TEST_F(ConfigReader, NamesTheNearestKnownKey) {
  EXPECT_EQ(error_of_file("loop:\n  stpes: 5\n"),
            "x.yaml:2:3: unknown key 'loop.stpes'; did you mean 'loop.steps'?");
  EXPECT_EQ(error_of_file("steps: 5\n"),
            "x.yaml:1:1: unknown key 'steps'; did you mean 'loop.steps'?");
  EXPECT_EQ(error_of_file("stepz: 5\n"),
            "x.yaml:1:1: unknown key 'stepz'; did you mean 'loop.steps'?");
  EXPECT_EQ(error_of_file("lop: {steps: 5}\n"),
            "x.yaml:1:1: unknown key 'lop'; did you mean 'loop'?");
  EXPECT_EQ(error_of_file("loop: {nmae: x}\n"),
            "x.yaml:1:8: unknown key 'loop.nmae'; did you mean 'name'?");
  EXPECT_EQ(error_of_file("loop.steps: 5\n"),
            "x.yaml:1:1: unknown key 'loop.steps'; write it as 'steps:' under 'loop:'");
  EXPECT_EQ(error_of_file("parts: [{pth: x}]\n"),
            "x.yaml:1:10: unknown key 'parts.0.pth'; did you mean 'parts.0.path'?");
  EXPECT_EQ(error_of_file("loop: {zzzzzzzzzz: 1}\n"),
            "x.yaml:1:8: unknown key 'loop.zzzzzzzzzz'; the keys here are steps, any, rate, "
            "shuffle, kind, betas");
  EXPECT_EQ(error_of_override("loop.stpes=5"),
            "command line: loop.stpes=5: unknown key 'loop.stpes'; did you mean 'loop.steps'?");
  EXPECT_EQ(error_of_override("lopo.steps=5"),
            "command line: lopo.steps=5: unknown key 'lopo.steps'; did you mean 'loop.steps'?");
  EXPECT_EQ(error_of_override("steps=5"),
            "command line: steps=5: unknown key 'steps'; did you mean 'loop.steps'?");
}

// Defect: comparing an unknown key of a million letters uses up the machine's memory.
TEST_F(ConfigReader, BoundsTheSearchForANearestKey) {
  const std::string error = error_of_file("? " + std::string(900000, 's') + "\n: 1\n");
  EXPECT_LT(error.size(), 300u);
  EXPECT_NE(error.find("unknown key 'sss"), std::string::npos);
}

// Defect: a value of another type is converted in silence.
TEST_F(ConfigReader, RefusesOtherTypes) {
  EXPECT_EQ(error_of_file("loop:\n  steps: abc\n"),
            "x.yaml:2:10: loop.steps: expected an integer in decimal digits, found 'abc'");
  EXPECT_EQ(error_of_file("loop: {steps: '5'}\n"),
            "x.yaml:1:15: loop.steps: expected an integer in decimal digits, found the text \"5\"");
  for (const char* value : {"4.0", "1e3", "010", "0x10", "1_000", "true", "[5]", "{a: 1}", "+5"}) {
    EXPECT_NE(error_of_file(std::string("loop: {steps: ") + value + "}\n"), "") << value;
  }
  for (const char* value :
       {"abc", "'0.5'", ".5", "inf", ".inf", "nan", ".nan", "true", "[0.5]", "{a: 1}", "0x1p-1"}) {
    EXPECT_NE(error_of_file(std::string("loop: {rate: ") + value + "}\n"), "") << value;
  }
  for (const char* value : {"yes", "no", "on", "True", "1", "'true'", "[true]", "{a: 1}"}) {
    EXPECT_NE(error_of_file(std::string("loop: {shuffle: ") + value + "}\n"), "") << value;
  }
  for (const char* value : {"5", "0.5", "true", "false", "[a]", "{a: b}", "\"a\\0b\""}) {
    EXPECT_NE(error_of_file(std::string("name: ") + value + "\n"), "") << value;
  }
  EXPECT_EQ(error_of_file("name: 5\n"),
            "x.yaml:1:7: name: expected a text (\"5\" with quotes), found the number 5");
  for (const char* value : {"0.5", "[0.5]", "[0.5, 0.5, 0.5]", "[]", "[a, b]", "[0.5, [0.5]]",
                            "['0.5', 0.5]", "[0.5, ]"}) {
    EXPECT_NE(error_of_file(std::string("loop: {betas: ") + value + "}\n"), "") << value;
  }
  for (const char* value : {"a", "[a]", "{path: a}", "[[{path: a}]]", "[~]", "[{}, 5]"}) {
    EXPECT_NE(error_of_file(std::string("parts: ") + value + "\n"), "") << value;
  }
  EXPECT_EQ(error_of_file("loop: 5\n"),
            "x.yaml:1:7: loop: expected a mapping of keys, found the number 5");
}

// Defect: an empty value taken for zero, an empty text or the default.
TEST_F(ConfigReader, RefusesEmptyValues) {
  EXPECT_EQ(error_of_file("loop:\n  steps:\n"),
            "x.yaml:2:3: loop.steps has no value; leave the key out for its default");
  EXPECT_EQ(error_of_file("name: ~\n"),
            "x.yaml:1:1: name has no value; an empty text is written \"\"");
  EXPECT_EQ(error_of_file("loop:\n"),
            "x.yaml:1:1: loop has no value; leave the key out for its default");
  EXPECT_NE(error_of_file("parts: null\n"), "");
  EXPECT_NE(error_of_override("loop.steps="), "");
  override_with("name=\"\"");
  EXPECT_EQ(whole.name, "");
}

// Defect: a limit that is off by one, or a number too large that wraps around.
TEST_F(ConfigReader, ChecksLimits) {
  EXPECT_EQ(error_of_file("loop: {steps: 0}\n"),
            "x.yaml:1:15: loop.steps = 0 is out of range: expected 1 to 1000");
  EXPECT_EQ(error_of_file("loop: {steps: 1}\n"), "");
  EXPECT_EQ(error_of_file("loop: {steps: 1000}\n"), "");
  EXPECT_NE(error_of_file("loop: {steps: 1001}\n"), "");
  EXPECT_NE(error_of_file("loop: {steps: 18446744073709551617}\n"), "");
  EXPECT_NE(error_of_file("loop: {any: 9223372036854775808}\n"), "");
  EXPECT_EQ(error_of_file("loop: {any: 9223372036854775807}\n"), "");
  EXPECT_EQ(error_of_file("loop: {rate: 1}\n"),
            "x.yaml:1:14: loop.rate = 1 is out of range: expected at least 0 and below 1");
  EXPECT_EQ(error_of_file("loop: {rate: 0}\n"), "");
  EXPECT_NE(error_of_file("loop: {rate: -1e-300}\n"), "");
  EXPECT_NE(error_of_file("loop: {rate: 1e999}\n").find("does not fit"), std::string::npos);
  EXPECT_NE(error_of_file("loop: {rate: 1e-999}\n").find("does not fit"), std::string::npos);
  EXPECT_EQ(error_of_file("loop: {betas: [0.5, 1.5]}\n"),
            "x.yaml:1:21: loop.betas.1 = 1.5 is out of range: expected 0 to 1");
  EXPECT_EQ(error_of_file("loop: {betas: [0.5]}\n"),
            "x.yaml:1:15: loop.betas: expected a list of 2 numbers, found 1");
}

// Defect: the error about a wrong choice does not list the valid choices.
TEST_F(ConfigReader, NamesTheChoices) {
  EXPECT_EQ(error_of_file("loop: {kind: cosin}\n"),
            "x.yaml:1:14: loop.kind: expected one of cosine, linear, found 'cosin'; did you mean "
            "'cosine'?");
  EXPECT_EQ(error_of_file("loop: {kind: [cosine]}\n"),
            "x.yaml:1:14: loop.kind: expected one of cosine, linear, found a list");
}

// Defect: overrides follow other rules than the file, or are applied in another order than typed.
TEST_F(ConfigReader, OverridesFollowTheFileAndEachOther) {
  read("loop: {steps: 5}\n");
  override_with("loop.steps=6");
  override_with("loop.steps=7");
  override_with("loop.betas=[0.1, 0.2]");
  override_with("loop={rate: 0.125, kind: linear}");
  EXPECT_EQ(whole.loop.steps, 7);
  EXPECT_EQ(whole.loop.betas[1], 0.2);
  EXPECT_EQ(whole.loop.rate, 0.125);
  EXPECT_EQ(whole.loop.kind, "linear");
  EXPECT_EQ(error_of_override("loop.steps=abc"),
            "command line: loop.steps=abc: loop.steps: expected an integer in decimal digits, "
            "found 'abc'");
  EXPECT_EQ(error_of_override("loop.steps"),
            "command line: loop.steps: expected KEY=VALUE, such as train.steps=100");
  EXPECT_NE(error_of_override("=5"), "");
  EXPECT_NE(error_of_override("loop=5"), "");
  EXPECT_NE(error_of_override("loop.=5"), "");
  EXPECT_NE(error_of_override(".loop=5"), "");
  EXPECT_EQ(error_of_override("loop.steps.x=5"),
            "command line: loop.steps.x=5: unknown key 'loop.steps.x'; loop.steps is an integer "
            "and has no keys");
}

// Defect: an element of a list that is added, replaced or counted wrongly.
TEST_F(ConfigReader, OverridesListElements) {
  override_with("parts.0.path=a");
  override_with("parts.0.mark='-'");
  override_with("parts.1={path: b}");
  ASSERT_EQ(whole.parts.size(), 2u);
  EXPECT_EQ(whole.parts[0].path, "a");
  EXPECT_EQ(whole.parts[0].mark, "-");
  EXPECT_EQ(whole.parts[1].path, "b");
  EXPECT_NE(error_of_override("parts.3.path=x"), "");
  EXPECT_NE(error_of_override("parts.-1.path=x"), "");
  EXPECT_NE(error_of_override("parts.00.path=x"), "");
  EXPECT_NE(error_of_override("parts.x.path=x"), "");
  EXPECT_NE(error_of_override("parts.0=x"), "");
  EXPECT_EQ(error_of_override("parts.0.pth=x"),
            "command line: parts.0.pth=x: unknown key 'parts.0.pth'; did you mean 'parts.0.path'?");
  override_with("parts=[{path: c}]");
  ASSERT_EQ(whole.parts.size(), 1u);
  EXPECT_EQ(whole.parts[0].path, "c");
}

// Defect: a later message that names the wrong place of a value.
TEST_F(ConfigReader, RemembersWhereEachKeyWasSet) {
  read("loop:\n  steps: 5\n  rate: 0.25\nparts: [{path: a}, {path: b}]\n");
  EXPECT_EQ(positions.at("loop.steps"), "x.yaml:2:10");
  EXPECT_EQ(positions.at("loop.betas"), "x.yaml:2:3");
  EXPECT_EQ(positions.at("parts.1.path"), "x.yaml:4:27");
  EXPECT_EQ(positions.at("parts.1.mark"), "x.yaml:4:8");
  EXPECT_EQ(positions.at("name"), "default");
  override_with("loop.steps=6");
  EXPECT_EQ(positions.at("loop.steps"), "command line");
  EXPECT_EQ(positions.at("loop.rate"), "x.yaml:3:9");
  override_with("parts=[{path: c}]");
  EXPECT_EQ(positions.at("parts.0.path"), "command line");
}

// Defect: a written config that reads back as another one.
TEST_F(ConfigReader, WrittenConfigsReadBack) {
  override_with("name=\"it's 5: [#] \\\"q\\\" \\\\ \\u20ac \\x85 \\t\\n\\x01 x\"");
  override_with(
      "loop={steps: 3, any: -5, rate: 1e-300, shuffle: false, kind: linear, betas: [0.1, "
      "0.30000000000000004]}");
  override_with("parts=[{path: 'true', mark: '5'}, {path: null-x, mark: ' %'}]");
  Whole untouched;
  Fields defaults;
  untouched.describe(defaults);
  const std::string text = config_yaml(fields, defaults, ConfigText::kDocumented);

  const Whole written = whole;
  whole = Whole();
  read(text);
  EXPECT_EQ(whole.name, written.name);
  EXPECT_EQ(whole.loop.rate, written.loop.rate);
  EXPECT_EQ(whole.loop.betas, written.loop.betas);
  EXPECT_EQ(whole.loop.any, written.loop.any);
  ASSERT_EQ(whole.parts.size(), 2u);
  EXPECT_EQ(whole.parts[0].path, "true");
  EXPECT_EQ(whole.parts[1].mark, " %");
  EXPECT_EQ(config_yaml(fields, defaults, ConfigText::kDocumented), text);
}

// Defect: a comment that names other limits or another default than the field has.
TEST_F(ConfigReader, WritesACommentPerKey) {
  override_with("loop.steps=3");
  Whole untouched;
  Fields defaults;
  untouched.describe(defaults);
  const std::string text = config_yaml(fields, defaults, ConfigText::kDocumented);
  EXPECT_NE(text.find("  # Steps | of the loop. (integer, 1 to 1000; default 10)\n  steps: 3\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("# Parts. path: Path. mark: Mark.\nparts: []\n"), std::string::npos) << text;
  EXPECT_NE(config_tables(defaults).find(
                "| `loop.steps` | integer | 1 to 1000 | `10` | Steps \\| of the loop. |\n"),
            std::string::npos);
}

}  // namespace
}  // namespace lmtrain

#include "base/yaml_reader.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

// Returns the message of the error that reading `text` as a file gives, "" when there is none.
std::string error_of(const std::string& text) {
  try {
    parse_yaml_mapping(text, {"x.yaml"});
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

std::string error_of_value(const std::string& text) {
  try {
    parse_yaml_value(text, {"command line: k=" + text, false});
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

long peak_kib() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

std::string repeated(const std::string& part, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += part;
  return text;
}

// Defect: values, nesting or quoting that differ from what the file says.
TEST(YamlReader, KeepsValuesQuotesAndMarks) {
  const YamlNode root = parse_yaml_mapping("a: 1\nb:\n  c: [x, 'y']\n  d: |\n    z\n", {"x.yaml"});
  ASSERT_EQ(root.keys.size(), 2u);
  EXPECT_EQ(root.keys[1].text, "b");
  EXPECT_EQ(root.keys[1].mark.line, 2);
  EXPECT_EQ(root.items[0].text, "1");
  EXPECT_FALSE(root.items[0].quoted);
  EXPECT_EQ(root.items[0].mark.column, 4);
  const YamlNode& list = root.items[1].items[0];
  ASSERT_EQ(list.items.size(), 2u);
  EXPECT_FALSE(list.items[0].quoted);
  EXPECT_TRUE(list.items[1].quoted);
  EXPECT_EQ(root.items[1].items[1].text, "z\n");
  EXPECT_TRUE(root.items[1].items[1].quoted);
}

// Defect: marks shifted by a byte order mark or Windows line ends.
TEST(YamlReader, ReadsByteOrderMarksAndWindowsLines) {
  const YamlNode root = parse_yaml_mapping(
      "\xEF\xBB\xBF"
      "a: 1\r\nb: 2\r\n",
      {"x.yaml"});
  ASSERT_EQ(root.keys.size(), 2u);
  EXPECT_EQ(root.keys[0].text, "a");
  EXPECT_EQ(root.items[1].text, "2");
  EXPECT_EQ(root.keys[1].mark.line, 2);
  EXPECT_EQ(root.keys[1].mark.column, 1);
}

// Defect: a YAML feature that makes one line mean something written elsewhere, silently accepted.
TEST(YamlReader, RefusesWhatAConfigMayNotHold) {
  const std::pair<const char*, const char*> cases[] = {
      {"a: &x 1\n", "x.yaml:1:4: anchors"},
      {"a: &x {b: 1}\n", "x.yaml:1:4: anchors"},
      {"a: &x [1]\n", "x.yaml:1:4: anchors"},
      {"a: &x\n", "x.yaml:1:4: anchors"},
      {"&x a: 1\n", "x.yaml:1:1: anchors"},
      {"a: 1\nb: *a\n", "x.yaml:2:4: "},
      {"<<: {a: 1}\n", "x.yaml:1:1: merge keys"},
      {"a: !!int 5\n", "x.yaml:1:4: tags"},
      {"a: ! 5\n", "x.yaml:1:4: tags"},
      {"a: ! '5'\n", "x.yaml:1:4: tags"},
      {"a: !!seq [5]\n", "x.yaml:1:4: tags"},
      {"!!map {a: 5}\n", "x.yaml:1:1: tags"},
      {"a: 1\nb: 2\na: 3\n", "x.yaml:3:1: duplicate key 'a', set before on line 1"},
      {"a: {b: 1, b: 2}\n", "x.yaml:1:11: duplicate key 'b'"},
      {"a: 1\n\"a\": 2\n", "x.yaml:2:1: duplicate key 'a'"},
      {"a: 1\n---\nb: 2\n", "x.yaml:2:1: a second document"},
      {"? [a]\n: 1\n", "x.yaml:1:3: a key must be a plain name"},
      {"? {a: 1}\n: 1\n", "x.yaml:1:3: a key must be a plain name"},
      {": 1\n", "x.yaml:1:1: a key is missing"},
      {"", "x.yaml: empty"},
      {"# only a comment\n", "x.yaml: empty"},
      {"null\n", "x.yaml: empty"},
      {"[a, b]\n", "x.yaml:1:1: expected sections such as 'train:', found a list"},
      {"abc\n", "x.yaml:1:1: expected sections such as 'train:', found a single value"},
  };
  for (const auto& [text, start] : cases) {
    EXPECT_TRUE(error_of(text).starts_with(start)) << text << error_of(text);
  }
}

// Defect: broken YAML that ends in an exception of the parser, without file and line.
TEST(YamlReader, NamesThePlaceOfSyntaxErrors) {
  const std::pair<const char*, const char*> cases[] = {
      {"a: [1, 2\n", "x.yaml:"},
      {"a: 'x\n", "x.yaml:1:4: a quote is not closed"},
      {"a: 'x''\n", "x.yaml:1:4: a quote is not closed"},
      {"a: \"x\\\"\n", "x.yaml:1:4: a quote is not closed"},
      {"a: b: c\n", "x.yaml:1:5: not valid YAML"},
      {"a: 1\n\tb: 2\n", "x.yaml:2:1: a tab stands at the beginning of the line"},
      {"a: @x\n", "x.yaml:1:4: not valid YAML"},
      {"%YAML 2.0\n---\na: 1\n", "x.yaml:1:1: not valid"},
  };
  for (const auto& [text, start] : cases) {
    EXPECT_TRUE(error_of(text).starts_with(start)) << text << error_of(text);
  }
}

// Defect: bytes that are no text reach the parser, or the console through a message.
TEST(YamlReader, RefusesBytesThatAreNoText) {
  using namespace std::string_literals;
  EXPECT_EQ(error_of("a: 1\nb: x\0y\n"s), "x.yaml:2:5: control character \\x00 in YAML text");
  EXPECT_EQ(error_of("a: \x1b[31m\n"), "x.yaml:1:4: control character \\x1b in YAML text");
  EXPECT_EQ(error_of("a: 1\n\nb: \xff\n"), "x.yaml:3:4: not valid UTF-8 text");
  EXPECT_EQ(error_of("\xff\xfe"
                     "a\0:\0"s),
            "x.yaml:1:1: not valid UTF-8 text");
  EXPECT_EQ(error_of("a: \xc0\xaf\n"), "x.yaml:1:4: not valid UTF-8 text");
  const std::string key = error_of("\"a\\nb\": 1\n\"a\\nb\": 2\n");
  EXPECT_TRUE(key.starts_with("x.yaml:2:1: duplicate key 'a\\x0ab'")) << key;
}

// Defect: the limit on depth is off by one, or the parser recurses before it is checked.
TEST(YamlReader, LimitsTheDepth) {
  const auto nested = [](size_t depth) {  // the root mapping is the first level
    return "a: " + repeated("[", depth - 1) + repeated("]", depth - 1) + "\n";
  };
  EXPECT_EQ(error_of(nested(32)), "");
  const std::string expected = "x.yaml:1:35: nested deeper than the 32 levels allowed";
  EXPECT_EQ(error_of(nested(33)), expected);
  EXPECT_EQ(error_of(nested(5000)), expected);
  for (const char* opening : {"[", "{a: ", "{", "- ", "? ", "[{a: "}) {
    EXPECT_NE(error_of("a: 1\nb:\n  " + repeated(opening, 5000)), "") << opening;
    EXPECT_NE(error_of(repeated(opening, 5000)), "") << opening;
  }
}

// Defect: a hostile file of the allowed size takes the memory or the time of the machine.
TEST(YamlReader, SurvivesHostileDocumentsOfTheLargestSize) {
  [[maybe_unused]] const long peak_before = peak_kib();
  for (const char* part : {"[", "{", "- ", "&a ", "'", "\n", "a,", "{},", ":", "[ #]\n"}) {
    const std::string text(part);
    EXPECT_NE(error_of("a: [" + repeated(text, (kMaxYamlBytes - 8) / text.size())), "") << part;
  }
  std::string many_keys;
  for (int i = 0; i < 90000; ++i) many_keys += cat("k", i, ": 1\n");
  EXPECT_EQ(error_of(many_keys), "");
  EXPECT_NE(error_of("a: [" + repeated("1,", 200000) + "1]\n").find("more than the 100000 values"),
            std::string::npos);
#ifndef __SANITIZE_ADDRESS__  // the sanitizer keeps freed memory
  EXPECT_LE(peak_kib(), std::max(peak_before, 200L * 1024));
#endif
}

// Defect: a document over the limit is parsed, or read into memory, before it is refused.
TEST(YamlReader, RefusesLargeAndMissingFilesBeforeReading) {
  const auto path = std::filesystem::temp_directory_path() / cat("yaml_reader_", getpid(), ".yaml");
  std::ofstream(path) << "a: 1\n";
  EXPECT_EQ(read_yaml_file(path), "a: 1\n");
  std::filesystem::resize_file(path, 100'000'000'000);  // sparse: reading it would take minutes
  try {
    read_yaml_file(path);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.what(),
              cat(path.string(),
                  ": 100000000000 bytes, more than the 1000000 bytes allowed for a config"));
  }
  std::filesystem::remove(path);
  EXPECT_THROW(read_yaml_file(path), ConfigError);
  EXPECT_THROW(read_yaml_file(path.parent_path()), ConfigError);
  EXPECT_THROW(read_yaml_file("/dev/zero"), ConfigError);
  EXPECT_EQ(error_of("a: " + std::string(kMaxYamlBytes, 'x')),
            "x.yaml: 1000003 bytes, more than the 1000000 bytes allowed for a config");
}

// Defect: a value of the command line read as more, or less, than the one value that was typed.
TEST(YamlReader, ReadsOneValueOfTheCommandLine) {
  const YamlSource source = {"command line", false};
  EXPECT_EQ(parse_yaml_value("6.0e-4", source).text, "6.0e-4");
  EXPECT_TRUE(parse_yaml_value("'5'", source).quoted);
  EXPECT_EQ(parse_yaml_value("[1, 2]", source).items.size(), 2u);
  EXPECT_EQ(parse_yaml_value("[{path: a b, separator: \"%\"}]", source).items[0].keys.size(), 2u);
  EXPECT_EQ(parse_yaml_value("", source).kind, YamlNode::Kind::kNull);
  for (const char* text : {"1, 2", "a]", "[1", "] , [", "a\nb", "a #b", "%", "*a", "&a b", "!x y",
                           "'a", "{a: 1, a: 2}", "a\x01"}) {
    EXPECT_TRUE(error_of_value(text).starts_with("command line: k="))
        << text << error_of_value(text);
  }
}

// Defect: a message that breaks its line or floods the screen.
TEST(YamlReader, MessagesStayOnOneShortLine) {
  EXPECT_EQ(one_line("a\nb\x7f"), "a\\x0ab\\x7f");
  EXPECT_EQ(one_line(std::string(100, 'x')), std::string(60, 'x') + "...");
  EXPECT_EQ(one_line(std::string(59, 'x') + "\xe2\x82\xac"
                                            "yz"),
            std::string(59, 'x') + "\xe2\x82\xac...");
}

}  // namespace
}  // namespace lmtrain

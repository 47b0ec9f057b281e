// YAML as a small tree with the place of every value. Strict: no aliases, anchors, tags, merge
// keys, duplicate keys or second document, and limits on size, depth and number of values, so that
// a hostile file is an error and never a crash. Reads the events of yaml-cpp, since its node API
// silently keeps the first of two equal keys and follows aliases for ever.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lmtrain {

inline constexpr size_t kMaxYamlBytes = 1'000'000;
inline constexpr size_t kMaxYamlDepth = 32;
inline constexpr size_t kMaxYamlValues = 100'000;

// Line and column (in bytes) from 1.
struct YamlMark {
  int line = 1;
  int column = 1;
};

struct YamlKey {
  std::string text;
  YamlMark mark;
};

struct YamlNode {
  enum class Kind { kNull, kScalar, kSequence, kMapping };

  Kind kind = Kind::kNull;
  YamlMark mark;
  std::string text;             // of a scalar
  bool quoted = false;          // a scalar in quotes or a block: text, whatever it looks like
  std::vector<YamlKey> keys;    // of a mapping; all different
  std::vector<YamlNode> items;  // of a sequence; of a mapping, the value of each key
};

// Where YAML comes from, for messages: "configs/x.yaml:3:25", or just the name where lines say
// nothing (the command line).
struct YamlSource {
  std::string name;
  bool has_lines = true;

  std::string at(YamlMark mark) const;
};

// The one document of `text`, whose root must be a mapping. Throws ConfigError naming the place.
YamlNode parse_yaml_mapping(std::string_view text, const YamlSource& source);

// One value of a command line: a scalar, [a, b] or {a: b}, as within a flow sequence.
YamlNode parse_yaml_value(std::string_view text, const YamlSource& source);

// The text of a YAML file, of at most kMaxYamlBytes. Throws ConfigError when it cannot be read.
std::string read_yaml_file(const std::filesystem::path& path);

// `text` for a message of one line: control characters escaped, at most 60 bytes or so.
std::string one_line(std::string_view text);

}  // namespace lmtrain

// YAML as a small tree that records the place of every value. The reader is strict: it refuses
// aliases, anchors, tags, merge keys, duplicate keys and a second document, and limits size, depth
// and number of values, so that a hostile file gives an error and never a crash. It reads the
// events of yaml-cpp, because yaml-cpp's node API silently keeps the first of two equal keys and
// follows aliases without end.
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

// Line and column (in bytes), both counted from 1.
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
  std::string text;             // a scalar's text
  bool quoted = false;          // the scalar is quoted or a block: always text, never a number
  std::vector<YamlKey> keys;    // a mapping's keys, all different
  std::vector<YamlNode> items;  // a sequence's items, or the value of each of a mapping's keys
};

// Names the source of YAML in messages: "configs/x.yaml:3:25", or the name alone where line numbers
// mean nothing (the command line).
struct YamlSource {
  std::string name;
  bool has_lines = true;

  std::string at(YamlMark mark) const;
};

// Returns the only document of `text`; its root must be a mapping. Throws
// ConfigError naming the place.
YamlNode parse_yaml_mapping(std::string_view text, const YamlSource& source);

// Reads one value of a command line: a scalar, [a, b] or {a: b}, as within a flow sequence.
YamlNode parse_yaml_value(std::string_view text, const YamlSource& source);

// Returns the text of a YAML file. Throws ConfigError when the file cannot be read or
// has more than kMaxYamlBytes.
std::string read_yaml_file(const std::filesystem::path& path);

// Returns `text` for a terminal: control characters are escaped.
std::string printable(std::string_view text);
// Returns `text` for a one-line message: control characters are escaped, and the text is cut at
// about 60 bytes.
std::string one_line(std::string_view text);

}  // namespace lmtrain

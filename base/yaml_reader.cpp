#include "base/yaml_reader.h"

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/nearest_file.h"
#include "base/text.h"
#include "base/utf8.h"

namespace lmtrain {
namespace {

YamlMark from_yaml_cpp(const YAML::Mark& mark) {
  return {std::max(mark.line, 0) + 1, std::max(mark.column, 0) + 1};
}

YamlNode make_node(YamlNode::Kind kind, const YAML::Mark& mark) {
  YamlNode node;
  node.kind = kind;
  node.mark = from_yaml_cpp(mark);
  return node;
}

// Builds the tree from the parser's events and refuses what a config may not hold.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, const YamlSource& source) : text_(text), source_(source) {}

  YamlNode take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (std::exchange(has_document_, true))
      fail(mark, "a second document starts here; one is read");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check_plain(mark, "?", anchor);
    if (expects_key()) fail(mark, "a key is missing");
    add(make_node(YamlNode::Kind::kNull, mark));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(mark, "aliases (*name) are not read; write the value out");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_plain(mark, tag, anchor);
    check_closed(mark);
    const bool quoted = tag == "!";
    if (expects_key()) {
      add_key(mark, value, quoted);
      return;
    }
    YamlNode node = make_node(YamlNode::Kind::kScalar, mark);
    node.text = value;
    node.quoted = quoted;
    add(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::kSequence);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlNode::Kind::kMapping);
  }
  void OnMapEnd() override { close(); }

 private:
  // A collection whose end has not been seen.
  struct Open {
    YamlNode node;
    std::map<std::string, int> key_lines;
  };

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& message) const {
    throw ConfigError(cat(source_.at(from_yaml_cpp(mark)), ": ", message));
  }

  bool expects_key() const {
    if (open_.empty()) return false;
    const YamlNode& node = open_.back().node;
    return node.kind == YamlNode::Kind::kMapping && node.keys.size() == node.items.size();
  }

  // yaml-cpp reports a plain value as "?" and a quoted one as "!", which is also a tag of its own.
  void check_plain(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    if (anchor != YAML::NullAnchor) fail(mark, "anchors (&name) are not read");
    const auto at = static_cast<size_t>(std::max(mark.pos, 0));
    const bool has_tag = (tag != "?" && tag != "!") || (at < text_.size() && text_[at] == '!');
    if (has_tag) fail(mark, "tags (!name) are not read; quotes make a value a text");
  }

  // yaml-cpp takes the end of the file for a closing quote.
  void check_closed(const YAML::Mark& mark) const {
    const auto start = static_cast<size_t>(std::max(mark.pos, 0));
    const char quote = start < text_.size() ? text_[start] : ' ';
    if (quote != '"' && quote != '\'') return;
    for (size_t at = start + 1; at < text_.size(); ++at) {
      if (quote == '"' && text_[at] == '\\') {
        ++at;
      } else if (text_[at] == quote) {
        const bool doubled = quote == '\'' && at + 1 < text_.size() && text_[at + 1] == quote;
        if (!doubled) return;
        ++at;
      }
    }
    fail(mark, "a quote is not closed");
  }

  void add_key(const YAML::Mark& mark, const std::string& key, bool quoted) {
    if (key == "<<" && !quoted) fail(mark, "merge keys (<<) are not read; write the keys out");
    const YamlMark place = from_yaml_cpp(mark);
    const auto [earlier, is_new] = open_.back().key_lines.try_emplace(key, place.line);
    if (!is_new) {
      fail(mark, cat("duplicate key '", one_line(key), "', set before on line ", earlier->second));
    }
    open_.back().node.keys.push_back({key, place});
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YamlNode::Kind kind) {
    check_plain(mark, tag, anchor);
    if (expects_key()) fail(mark, "a key must be a plain name, not a list or mapping");
    if (open_.size() == kMaxYamlDepth) {
      fail(mark, cat("nested deeper than the ", kMaxYamlDepth, " levels allowed"));
    }
    open_.push_back({make_node(kind, mark), {}});
  }

  void close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  void add(YamlNode node) {
    if (++num_values_ > kMaxYamlValues) {
      throw ConfigError(
          cat(source_.at(node.mark), ": more than the ", kMaxYamlValues, " values allowed"));
    }
    if (open_.empty()) {
      root_ = std::move(node);
    } else {
      open_.back().node.items.push_back(std::move(node));
    }
  }

  const std::string_view text_;
  const YamlSource& source_;
  std::vector<Open> open_;
  YamlNode root_;
  size_t num_values_ = 0;
  bool has_document_ = false;
};

YamlMark mark_of_byte(std::string_view text, size_t at) {
  const std::string_view before = text.substr(0, at);
  const auto line_start = before.rfind('\n');  // npos + 1 is 0
  return {static_cast<int>(std::count(before.begin(), before.end(), '\n')) + 1,
          static_cast<int>(at - (line_start + 1)) + 1};
}

void check_size(std::string_view text, const YamlSource& source) {
  if (text.size() <= kMaxYamlBytes) return;
  throw ConfigError(cat(source.name, ": ", text.size(), " bytes, more than the ", kMaxYamlBytes,
                        " bytes allowed for a config"));
}

// Refuses what yaml-cpp must not see: other encodings, control characters, and more open brackets
// (about 200 bytes each in its scanner) than the limit on values.
void check_bytes(std::string_view text, const YamlSource& source) {
  const auto is_bracket = [](char c) { return c == '[' || c == '{'; };
  const auto brackets = std::count_if(text.begin(), text.end(), is_bracket);
  if (std::cmp_greater(brackets, kMaxYamlValues)) {
    throw ConfigError(cat(source.name, ": more than the ", kMaxYamlValues, " values allowed"));
  }
  const size_t invalid = find_invalid_utf8(text);
  if (invalid != text.size()) {
    throw ConfigError(cat(source.at(mark_of_byte(text, invalid)), ": not valid UTF-8 text"));
  }
  const auto is_control = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7F;
  };
  const auto control = std::find_if(text.begin(), text.end(), is_control);
  if (control != text.end()) {
    const auto at = static_cast<size_t>(control - text.begin());
    throw ConfigError(cat(source.at(mark_of_byte(text, at)), ": control character ",
                          one_line(text.substr(at, 1)), " in YAML text"));
  }
}

// Whether the line, which counts from 0, has a tab among the white space at its beginning.
bool is_indented_by_tab(std::string_view text, int line) {
  for (; line > 0 && !text.empty(); --line) cut_line(text);
  const std::string_view indent = text.substr(0, text.find_first_not_of(" \t"));
  return indent.find('\t') != std::string_view::npos;
}

// Returns a null root when there is no document at all.
YamlNode parse_document(std::string_view text, const YamlSource& source) {
  if (text.starts_with(kUtf8Bom)) text.remove_prefix(kUtf8Bom.size());
  check_size(text, source);
  check_bytes(text, source);
  TreeBuilder builder(text, source);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    throw ConfigError(
        cat(source.at(from_yaml_cpp(error.mark)), ": ",
            is_indented_by_tab(text, error.mark.line)
                ? "a tab stands at the beginning of the line; YAML is indented by spaces"
                : cat("not valid YAML: ", one_line(error.msg))));
  }
  return builder.take_root();
}

}  // namespace

std::string YamlSource::at(YamlMark mark) const {
  return has_lines ? cat(name, ":", mark.line, ":", mark.column) : name;
}

YamlNode parse_yaml_mapping(std::string_view text, const YamlSource& source) {
  YamlNode root = parse_document(text, source);
  if (root.kind == YamlNode::Kind::kNull) {
    throw ConfigError(cat(source.name, ": empty; expected sections such as 'train:'"));
  }
  if (root.kind != YamlNode::Kind::kMapping) {
    throw ConfigError(cat(source.at(root.mark), ": expected sections such as 'train:', found a ",
                          root.kind == YamlNode::Kind::kScalar ? "single value" : "list"));
  }
  return root;
}

YamlNode parse_yaml_value(std::string_view text, const YamlSource& source) {
  if (text.find_first_of("\r\n") != std::string_view::npos) {
    throw ConfigError(cat(source.name, ": a value on the command line is one line"));
  }
  YamlNode list = parse_document(cat("[", text, "]"), source);
  if (list.kind != YamlNode::Kind::kSequence || list.items.size() > 1) {
    throw ConfigError(cat(source.name, ": expected one value; a list is written [a, b], and a text",
                          " with a comma needs quotes within the value"));
  }
  return list.items.empty() ? YamlNode() : std::move(list.items[0]);
}

std::string read_yaml_file(const std::filesystem::path& path) {
  try {
    const MappedFile file(path);
    check_size(file.text(), {path.string()});
    return std::string(file.text());
  } catch (const IoError& error) {
    std::error_code unknown;
    const std::string near = std::filesystem::exists(path, unknown) ? "" : nearest_file(path);
    throw ConfigError(near.empty() ? error.what()
                                   : cat(error.what(), "; did you mean '", near, "'?"));
  }
}

std::string printable(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      line += cat("\\x", kDigits[byte >> 4], kDigits[byte & 15]);
    } else {
      line += c;
    }
  }
  return line;
}

std::string one_line(std::string_view text) {
  constexpr size_t kMaxBytes = 60;
  size_t end = std::min(text.size(), kMaxBytes);
  while (end < text.size() && !starts_character(text[end])) ++end;
  return printable(text.substr(0, end)) + (end < text.size() ? "..." : "");
}

}  // namespace lmtrain

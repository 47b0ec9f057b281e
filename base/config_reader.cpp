#include "base/config_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "base/config_value.h"
#include "base/duration.h"
#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

constexpr size_t kMaxListElements = 10'000;

const Field* find_field(const Fields& fields, const std::string& key) {
  for (const Field& field : fields.all()) {
    if (field.key == key) return &field;
  }
  return nullptr;
}

bool is_number(const YamlNode& node) { return !node.quoted && is_decimal_real(node.text); }

// Returns how a message describes an unexpected value: "found ..."
std::string found_text(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::kNull) return "nothing";
  if (node.kind == YamlNode::Kind::kSequence) return "a list";
  if (node.kind == YamlNode::Kind::kMapping) return "a mapping";
  if (node.quoted) return cat("the text \"", one_line(node.text), "\"");
  if (is_number(node)) return cat("the number ", one_line(node.text));
  if (node.text == "true" || node.text == "false") return node.text;
  return cat("'", one_line(node.text), "'");
}

std::string with_article(const std::string& noun) {
  return (noun == "integer" ? "an " : "a ") + noun;
}

class Reader {
 public:
  Reader(const Fields& root, const YamlSource& source, ConfigPositions& positions,
         const std::vector<Synonyms>& synonyms)
      : root_(root), source_(source), positions_(positions), synonyms_(synonyms) {}

  // `prefix` is the dotted name of `fields` with a trailing point.
  void read_section(const Fields& fields, const std::string& prefix, const YamlNode& node) {
    for (size_t i = 0; i < node.keys.size(); ++i) {
      const YamlKey& key = node.keys[i];
      const Field* const field = find_field(fields, key.text);
      if (field == nullptr) fail_unknown(fields, prefix, key.text, key.mark);
      if (node.items[i].kind == YamlNode::Kind::kNull) fail_null(*field, prefix, key.mark);
      read(*field, prefix + key.text, node.items[i]);
    }
  }

  // Finds the field of the dotted name `path` below `fields` and reads it.
  void read_at(const Fields& fields, const std::string& prefix, const std::string& path,
               const YamlNode& node) {
    const size_t point = path.find('.');
    const std::string name = path.substr(0, point);
    const Field* const field = find_field(fields, name);
    if (field == nullptr) fail_unknown(fields, prefix, path, node.mark);
    const std::string key = prefix + name;
    if (point == std::string::npos) {
      if (node.kind == YamlNode::Kind::kNull) fail_null(*field, prefix, node.mark);
      read(*field, key, node);
      return;
    }
    const std::string rest = path.substr(point + 1);
    if (const auto* section = std::get_if<SectionField>(&field->kind)) {
      read_at(*section->fields, key + ".", rest, node);
    } else if (const auto* list = std::get_if<ListField>(&field->kind)) {
      read_element(*list, key, rest, node);
    } else {
      fail(node.mark, cat("unknown key '", key, ".", one_line(rest), "'; ", key, " is ",
                          with_article(type_text(*field)), " and has no keys"));
    }
  }

 private:
  [[noreturn]] void fail(YamlMark mark, const std::string& message) const {
    throw ConfigError(cat(source_.at(mark), ": ", message));
  }

  [[noreturn]] void fail_type(const std::string& key, const std::string& expected,
                              const YamlNode& node) const {
    fail(node.mark, cat(key, ": expected ", expected, ", found ", found_text(node)));
  }

  [[noreturn]] void fail_unknown(const Fields& section, const std::string& prefix,
                                 const std::string& key, YamlMark mark) const {
    fail(mark, cat("unknown key '", prefix, one_line(key), "'; ",
                   suggest_key(root_, section, prefix, key, synonyms_)));
  }

  [[noreturn]] void fail_null(const Field& field, const std::string& prefix, YamlMark mark) const {
    const bool is_text = std::holds_alternative<TextField>(field.kind);
    fail(mark,
         cat(prefix, field.key, " has no value; ",
             is_text ? "an empty text is written \"\"" : "leave the key out for its default"));
  }

  void read(const Field& field, const std::string& key, const YamlNode& node) {
    std::visit([&](const auto& kind) { read_kind(kind, key, node); }, field.kind);
    const bool is_short_form =
        std::holds_alternative<SectionField>(field.kind) && node.kind == YamlNode::Kind::kScalar;
    if (is_short_form) return;  // the place is that of the choice alone
    positions_.set(key, source_.has_lines ? source_.at(node.mark) : "command line");
  }

  void read_kind(const IntegerField& field, const std::string& key, const YamlNode& node) {
    *field.value = read_integer(field.limits, "an integer in decimal digits", key, node);
  }

  void read_kind(const OptionalIntegerField& field, const std::string& key, const YamlNode& node) {
    if (is_plain_scalar(node) && node.text == field.none) {
      field.value->reset();
      return;
    }
    *field.value =
        read_integer(field.limits, cat("an integer in decimal digits or ", field.none), key, node);
  }

  int64_t read_integer(const IntegerLimits& limits, const std::string& wanted,
                       const std::string& key, const YamlNode& node) {
    const bool is_integer = is_plain_scalar(node) && is_decimal_integer(node.text);
    if (!is_integer) fail_type(key, wanted, node);
    int64_t value = 0;
    const bool fits = parse(node.text, value);
    if (!fits || value < limits.min || value > limits.max) {
      fail_range(key, limits_text(limits), node);
    }
    return value;
  }

  void read_kind(const RealField& field, const std::string& key, const YamlNode& node) {
    *field.value = read_real(field.limits, key, node);
  }

  void read_kind(const OptionalRealField& field, const std::string& key, const YamlNode& node) {
    if (is_plain_scalar(node) && node.text == field.none) {
      field.value->reset();
      return;
    }
    if (!is_number(node)) fail_type(key, cat("a number or ", field.none), node);
    *field.value = read_real(field.limits, key, node);
  }

  void read_kind(const DurationField& field, const std::string& key, const YamlNode& node) {
    if (is_plain_scalar(node) && node.text == field.none) {
      field.value->reset();
      return;
    }
    const auto seconds = is_plain_scalar(node) ? parse_duration(node.text) : std::nullopt;
    if (!seconds) {
      fail_type(key, cat(field.none, " or a time with its units, such as 90s, 20m, 3h50m or 1d12h"),
                node);
    }
    *field.value = seconds;
  }

  void read_kind(const BooleanField& field, const std::string& key, const YamlNode& node) {
    const bool is_boolean = is_plain_scalar(node) && (node.text == "true" || node.text == "false");
    if (!is_boolean) fail_type(key, "true or false", node);
    *field.value = node.text == "true";
  }

  void read_kind(const TextField& field, const std::string& key, const YamlNode& node) {
    *field.value = read_text(key, node);
  }

  std::string read_text(const std::string& key, const YamlNode& node) {
    const bool is_scalar = node.kind == YamlNode::Kind::kScalar;
    const bool is_other =
        !node.quoted && (is_number(node) || node.text == "true" || node.text == "false");
    if (!is_scalar) fail_type(key, "a text", node);
    if (is_other) fail_type(key, cat("a text (\"", one_line(node.text), "\" with quotes)"), node);
    // Longer than the longest path of the system, which a message could not show either.
    constexpr size_t kMostBytes = 4000;
    if (node.text.size() > kMostBytes)
      fail(node.mark,
           cat(key, ": a text has at most ", kMostBytes, " bytes, not ", node.text.size()));
    if (node.text.find('\0') != std::string::npos) fail(node.mark, key + ": a text has no NUL");
    return node.text;
  }

  void read_kind(const TextsField& field, const std::string& key, const YamlNode& node) {
    if (node.kind != YamlNode::Kind::kSequence) fail_type(key, "a list of texts", node);
    if (node.items.size() > kMaxListElements) fail_too_long(key, node);
    std::vector<std::string> texts;
    for (size_t i = 0; i < node.items.size(); ++i)
      texts.push_back(read_text(cat(key, ".", i), node.items[i]));
    *field.value = std::move(texts);
  }

  void read_kind(const ChoiceField& field, const std::string& key, const YamlNode& node) {
    const bool is_known = node.kind == YamlNode::Kind::kScalar &&
                          std::count(field.choices.begin(), field.choices.end(), node.text) > 0;
    if (!is_known) {
      const char* const one_of = field.choices.size() == 1 ? "" : "one of ";
      fail(node.mark, cat(key, ": expected ", one_of, join(field.choices, ", "), ", found ",
                          found_text(node), suggest_choice(field.choices, node.text)));
    }
    field.set(node.text);
  }

  void read_kind(const RealsField& field, const std::string& key, const YamlNode& node) {
    const bool is_any_count = field.count == 0;
    const std::string expected =
        is_any_count ? "a list of numbers" : cat("a list of ", field.count, " numbers");
    if (node.kind != YamlNode::Kind::kSequence) fail_type(key, expected, node);
    if (node.items.size() > kMaxListElements) fail_too_long(key, node);
    if (!is_any_count && node.items.size() != field.count) {
      fail(node.mark, cat(key, ": expected ", expected, ", found ", node.items.size()));
    }
    std::vector<double> values;
    for (size_t i = 0; i < node.items.size(); ++i) {
      values.push_back(read_real(field.limits, cat(key, ".", i), node.items[i]));
    }
    *field.value = std::move(values);
  }

  void read_kind(const SectionField& field, const std::string& key, const YamlNode& node) {
    if (node.kind == YamlNode::Kind::kScalar && !field.short_form.empty())
      return read_at(*field.fields, key + ".", field.short_form, node);
    if (node.kind != YamlNode::Kind::kMapping) fail_type(key, "a mapping of keys", node);
    read_section(*field.fields, key + ".", node);
  }

  void read_kind(const ListField& field, const std::string& key, const YamlNode& node) {
    if (node.kind != YamlNode::Kind::kSequence) fail_type(key, "a list of mappings", node);
    if (node.items.size() > kMaxListElements) fail_too_long(key, node);
    field.clear();
    positions_.forget_below(key);
    for (size_t i = 0; i < node.items.size(); ++i) {
      const std::string name = cat(key, ".", i);
      if (node.items[i].kind != YamlNode::Kind::kMapping) {
        fail_type(name, "a mapping of keys", node.items[i]);
      }
      read_section(field.append(), name + ".", node.items[i]);
    }
  }

  // `path` is "0", "0.path", ... below the list `key`.
  void read_element(const ListField& list, const std::string& key, const std::string& path,
                    const YamlNode& node) {
    std::vector<Fields> elements = list.elements();
    const size_t point = path.find('.');
    const std::string number = path.substr(0, point);
    int64_t index = 0;
    const bool is_index = is_decimal_integer(number) && parse(number, index) && index >= 0;
    if (!is_index || std::cmp_greater(index, elements.size())) {
      fail(node.mark, cat("'", key, ".", one_line(number), "': the elements of ", key, " are 0 to ",
                          elements.size(), " (the last adds one)"));
    }
    if (std::cmp_equal(index, kMaxListElements)) fail_too_long(key, node);
    const bool is_new = std::cmp_equal(index, elements.size());
    const Fields element = is_new ? list.append() : elements[static_cast<size_t>(index)];
    const std::string name = cat(key, ".", index);
    if (point != std::string::npos) {
      read_at(element, name + ".", path.substr(point + 1), node);
    } else if (node.kind != YamlNode::Kind::kMapping) {
      fail_type(name, "a mapping of keys", node);
    } else {
      read_section(element, name + ".", node);
    }
  }

  double read_real(const RealLimits& limits, const std::string& key, const YamlNode& node) const {
    if (!is_plain_scalar(node) || !is_decimal_real(node.text)) {
      fail_type(key, "a decimal number", node);
    }
    double value = 0;
    const bool fits = parse(node.text, value);
    const bool too_low = value < limits.min || (limits.min_excluded && value == limits.min);
    const bool too_high = value > limits.max || (limits.max_excluded && value == limits.max);
    if (!fits) fail(node.mark, cat(key, " = ", one_line(node.text), " does not fit in 64 bits"));
    if (too_low || too_high) fail_range(key, limits_text(limits), node);
    return value;
  }

  [[noreturn]] void fail_range(const std::string& key, const std::string& limits,
                               const YamlNode& node) const {
    fail(node.mark, cat(key, " = ", one_line(node.text), " is out of range: expected ",
                        limits.empty() ? "a number of 64 bits" : limits));
  }

  [[noreturn]] void fail_too_long(const std::string& key, const YamlNode& node) const {
    fail(node.mark, cat(key, ": more than the ", kMaxListElements, " elements allowed"));
  }

  static bool is_plain_scalar(const YamlNode& node) {
    return node.kind == YamlNode::Kind::kScalar && !node.quoted;
  }

  // Returns false when the number does not fit the type.
  template <class Number>
  static bool parse(const std::string& text, Number& value) {
    return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc();
  }

  const Fields& root_;
  const YamlSource& source_;
  ConfigPositions& positions_;
  const std::vector<Synonyms>& synonyms_;
};

}  // namespace

void apply_yaml(const Fields& fields, const YamlNode& root, const YamlSource& source,
                ConfigPositions& positions, const std::vector<Synonyms>& synonyms) {
  Reader(fields, source, positions, synonyms).read_section(fields, "", root);
}

void apply_override(const Fields& fields, const std::string& argument, ConfigPositions& positions,
                    const std::vector<Synonyms>& synonyms) {
  const YamlSource source = {cat("command line: ", one_line(argument)), false};
  const size_t equals = argument.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw ConfigError(cat(source.name, ": expected KEY=VALUE, such as train.steps=100"));
  }
  const YamlNode value = parse_yaml_value(argument.substr(equals + 1), source);
  Reader(fields, source, positions, synonyms)
      .read_at(fields, "", argument.substr(0, equals), value);
}

}  // namespace lmtrain

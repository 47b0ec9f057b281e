#include "data/chat/template_print.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/text.h"
#include "data/chat/template_operators.h"
#include "data/chat/template_text.h"

namespace lmtrain {
namespace {

std::string hexadecimal(const char* format, char32_t number) {
  std::array<char, 16> buffer;
  const int length =
      std::snprintf(buffer.data(), buffer.size(), format, static_cast<unsigned>(number));
  return {buffer.data(), static_cast<size_t>(length)};
}

// Whether Python spells the character out. Characters that Unicode has not assigned are not told
// from others.
bool is_unprintable(char32_t character) {
  return character < 0x20 || (character >= 0x7F && character <= 0xA0) || character == 0xAD ||
         (character >= 0x600 && character <= 0x605) || character == 0x61C || character == 0x6DD ||
         character == 0x70F || character == 0x180E || character == 0x1680 ||
         (character >= 0x2000 && character <= 0x200F) ||
         (character >= 0x2028 && character <= 0x202F) ||
         (character >= 0x205F && character <= 0x206F) || character == 0x3000 ||
         (character >= 0xE000 && character <= 0xF8FF) || character == 0xFEFF ||
         (character >= 0xFFF9 && character <= 0xFFFB) || character >= 0xE0000;
}

std::string quoted(const std::string& text) {
  const bool has_single = text.find('\'') != std::string::npos;
  const char quote = has_single && text.find('"') == std::string::npos ? '"' : '\'';
  std::string result(1, quote);
  for (size_t at = 0; at < text.size();) {
    const char32_t character = next_character(text, at);
    if (character == static_cast<char32_t>(quote) || character == '\\') {
      result.append("\\").append(1, static_cast<char>(character));
    } else if (character == '\n' || character == '\r' || character == '\t') {
      result += character == '\n' ? "\\n" : character == '\r' ? "\\r" : "\\t";
    } else if (is_unprintable(character)) {
      result += hexadecimal(character < 0x100     ? "\\x%02x"
                            : character < 0x10000 ? "\\u%04x"
                                                  : "\\U%08x",
                            character);
    } else {
      append_character(result, character);
    }
  }
  return result + quote;
}

std::string represented_sequence(const TemplateSequence& sequence, const std::string& name,
                                 TemplateBudget& budget) {
  if (sequence.kind == SequenceKind::kRange) throw TemplateFault("printing a range is not covered");
  std::string inner;
  for (const TemplateValue& item : sequence.items) {
    if (!inner.empty()) inner += ", ";
    inner += represented(item, budget);
  }
  if (sequence.kind == SequenceKind::kTuple) {
    return cat("(", inner, sequence.items.size() == 1 ? ",)" : ")");
  }
  const std::string list = cat("[", inner, "]");
  return sequence.kind == SequenceKind::kList ? list : cat(name, "(", list, ")");
}

std::string represented_dict(const TemplateDict& dict, TemplateBudget& budget) {
  std::string inner;
  for (const auto& [key, value] : dict.entries) {
    if (!inner.empty()) inner += ", ";
    inner += represented(key, budget);
    inner += ": ";
    inner += represented(value, budget);
  }
  return cat("{", inner, "}");
}

std::string unpaid_text(const TemplateValue& value, TemplateBudget& budget) {
  if (value.is<TemplateValue::None>()) return "None";
  if (const bool* boolean = value.as<bool>()) return *boolean ? "True" : "False";
  if (const int64_t* integer = value.as<int64_t>()) return std::to_string(*integer);
  if (const double* number = value.as<double>()) return float_text(*number);
  if (value.is<TemplateValue::Undefined>()) return "Undefined";
  if (const std::string* text = value.text()) return quoted(*text);
  if (const auto* dict = value.as<TemplateValue::Dict>()) return represented_dict(**dict, budget);
  if (const auto* sequence = value.as<TemplateValue::Sequence>()) {
    return represented_sequence(**sequence, type_name(value), budget);
  }
  throw TemplateFault(cat("printing a value of type '", type_name(value), "' is not covered"));
}

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, TemplateBudget& budget) : style_(style), budget_(budget) {}

  void write(const TemplateValue& value, int level);
  std::string take() { return std::move(text_); }

 private:
  void add(const std::string& text) {
    budget_.spend(text.size() + 1);
    text_ += text;
  }
  void add_text(const std::string& text);
  void add_character(std::string& escaped, char32_t character) const;
  void break_line(int level) {
    if (!style_.indent) return;
    budget_.spend(style_.indent->size() * static_cast<size_t>(level));
    text_ += '\n';
    for (int i = 0; i < level; ++i) text_ += *style_.indent;
  }
  void write_list(const TemplateItems& items, int level);
  void write_dict(const TemplateDict& dict, int level);
  void add_key(const TemplateValue& key);
  static std::string scalar(const TemplateValue& value);

  const JsonStyle& style_;
  TemplateBudget& budget_;
  std::string text_;
};

void JsonWriter::add_character(std::string& escaped, char32_t character) const {
  static constexpr std::string_view kNamed = "\b\f\n\r\t\"\\";
  static constexpr std::string_view kNames = "bfnrt\"\\";
  const size_t name =
      character < 0x80 ? kNamed.find(static_cast<char>(character)) : std::string_view::npos;
  if (name != std::string_view::npos) {
    escaped.append("\\").append(1, kNames[name]);
  } else if (character < 0x20 || (style_.is_ascii_only && character >= 0x7F)) {
    if (character >= 0x10000) {
      escaped += hexadecimal("\\u%04x", 0xD800 + ((character - 0x10000) >> 10));
      character = 0xDC00 + ((character - 0x10000) & 0x3FF);
    }
    escaped += hexadecimal("\\u%04x", character);
  } else {
    append_character(escaped, character);
  }
}

void JsonWriter::add_text(const std::string& text) {
  budget_.spend(text.size());
  std::string escaped = "\"";
  for (size_t at = 0; at < text.size();) add_character(escaped, next_character(text, at));
  add(escaped + "\"");
}

// The text of a value that is neither a text nor made of others; "" for those.
std::string JsonWriter::scalar(const TemplateValue& value) {
  if (value.is<TemplateValue::None>()) return "null";
  if (const bool* boolean = value.as<bool>()) return *boolean ? "true" : "false";
  if (const int64_t* integer = value.as<int64_t>()) return std::to_string(*integer);
  const double* number = value.as<double>();
  if (number == nullptr) return "";
  if (std::isnan(*number)) return "NaN";
  if (std::isinf(*number)) return *number < 0 ? "-Infinity" : "Infinity";
  return float_text(*number);
}

void JsonWriter::write(const TemplateValue& value, int level) {
  budget_.step();
  if (const std::string* text = value.text()) return add_text(*text);
  if (const auto* dict = value.as<TemplateValue::Dict>()) return write_dict(**dict, level);
  const auto* sequence = value.as<TemplateValue::Sequence>();
  if (sequence != nullptr && (*sequence)->kind <= SequenceKind::kTuple) {
    return write_list((*sequence)->items, level);
  }
  const std::string text = scalar(value);
  if (text.empty()) {
    throw TemplateFault(cat("a value of type '", type_name(value), "' cannot be written as JSON"));
  }
  add(text);
}

void JsonWriter::write_list(const TemplateItems& items, int level) {
  if (items.empty()) return add("[]");
  add("[");
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) add(style_.item_separator);
    break_line(level + 1);
    write(items[i], level + 1);
  }
  break_line(level);
  add("]");
}

void JsonWriter::add_key(const TemplateValue& key) {
  if (const std::string* text = key.text()) return add_text(*text);
  const std::string text = scalar(key);
  if (text.empty()) throw TemplateFault("a key of JSON must be a text or a number");
  add_text(text);
}

void JsonWriter::write_dict(const TemplateDict& dict, int level) {
  if (dict.entries.empty()) return add("{}");
  budget_.spend(dict.entries.size());
  std::vector<const std::pair<TemplateValue, TemplateValue>*> entries;
  for (const auto& entry : dict.entries) entries.push_back(&entry);
  if (style_.has_sorted_keys) {
    std::stable_sort(entries.begin(), entries.end(), [&](const auto* left, const auto* right) {
      return less(left->first, right->first, budget_);
    });
  }
  add("{");
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i > 0) add(style_.item_separator);
    break_line(level + 1);
    add_key(entries[i]->first);
    add(style_.key_separator);
    write(entries[i]->second, level + 1);
  }
  break_line(level);
  add("}");
}

}  // namespace

std::string represented(const TemplateValue& value, TemplateBudget& budget) {
  budget.step();
  const std::string* text = value.text();
  if (text != nullptr) budget.spend(text->size());
  std::string result = unpaid_text(value, budget);
  budget.spend(result.size());
  return result;
}

std::string printed(const TemplateValue& value, TemplateBudget& budget) {
  if (value.is<TemplateValue::Undefined>()) return "";
  const std::string* text = value.text();
  if (text == nullptr) return represented(value, budget);
  budget.spend(text->size());
  return *text;
}

std::string json_of(const TemplateValue& value, const JsonStyle& style, TemplateBudget& budget) {
  JsonWriter writer(style, budget);
  writer.write(value, 0);
  return writer.take();
}

}  // namespace lmtrain

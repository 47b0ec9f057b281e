#include "base/config_value.h"

#include <algorithm>
#include <cmath>

#include "base/duration.h"
#include "base/text.h"

namespace lmtrain {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Removes the digits at the front of `text` and says how many there were.
size_t skip_digits(std::string_view& text) {
  size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  text.remove_prefix(count);
  return count;
}

// Removes "-12" from the front of `text`; false when it does not start so, or with a needless zero.
bool skip_integer(std::string_view& text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const bool starts_with_zero = text.starts_with('0');
  const size_t digits = skip_digits(text);
  return digits == 1 || (digits > 1 && !starts_with_zero);
}

bool skip_fraction(std::string_view& text) {
  if (!text.starts_with('.')) return true;
  text.remove_prefix(1);
  return skip_digits(text) > 0;
}

bool skip_exponent(std::string_view& text) {
  if (!text.starts_with('e') && !text.starts_with('E')) return true;
  text.remove_prefix(1);
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return skip_digits(text) > 0;
}

std::string bounds_text(const std::string& min, bool min_excluded, const std::string& max,
                        bool max_excluded) {
  if (min.empty() && max.empty()) return "";
  if (!min.empty() && !max.empty() && !min_excluded && !max_excluded) return cat(min, " to ", max);
  std::vector<std::string> parts;
  if (!min.empty()) parts.push_back((min_excluded ? "above " : "at least ") + min);
  if (!max.empty()) parts.push_back((max_excluded ? "below " : "at most ") + max);
  return join(parts, " and ");
}

// One overload per kind of field; visited below.
struct TypeText {
  std::string operator()(const IntegerField&) const { return "integer"; }
  std::string operator()(const OptionalIntegerField&) const { return "integer or word"; }
  std::string operator()(const RealField&) const { return "number"; }
  std::string operator()(const OptionalRealField&) const { return "number or word"; }
  std::string operator()(const DurationField&) const { return "duration"; }
  std::string operator()(const BooleanField&) const { return "boolean"; }
  std::string operator()(const TextField&) const { return "text"; }
  std::string operator()(const ChoiceField&) const { return "choice"; }
  std::string operator()(const RealsField& field) const {
    return field.count == 0 ? "list of numbers" : cat("list of ", field.count, " numbers");
  }
  std::string operator()(const TextsField&) const { return "list of texts"; }
  std::string operator()(const SectionField&) const { return "section"; }
  std::string operator()(const ListField&) const { return "list"; }
};

struct LimitsText {
  std::string operator()(const IntegerField& field) const { return limits_text(field.limits); }
  std::string operator()(const OptionalIntegerField& field) const {
    return cat(field.none, ", or ", limits_text(field.limits));
  }
  std::string operator()(const RealField& field) const { return limits_text(field.limits); }
  std::string operator()(const OptionalRealField& field) const {
    return cat(field.none, ", or ", limits_text(field.limits));
  }
  std::string operator()(const DurationField& field) const {
    return cat(field.none, ", or such as 90s, 20m, 3h50m, 1d12h");
  }
  std::string operator()(const BooleanField&) const { return "true, false"; }
  std::string operator()(const ChoiceField& field) const { return join(field.choices, ", "); }
  std::string operator()(const RealsField& field) const {
    const std::string limits = limits_text(field.limits);
    return limits.empty() ? "" : "each " + limits;
  }
  std::string operator()(const auto&) const { return ""; }
};

std::string flow_mapping(const Fields& fields) {
  std::vector<std::string> parts;
  for (const Field& field : fields.all()) parts.push_back(field.key + ": " + value_text(field));
  return "{" + join(parts, ", ") + "}";
}

struct ValueText {
  std::string operator()(const IntegerField& field) const { return std::to_string(*field.value); }
  std::string operator()(const OptionalIntegerField& field) const {
    return *field.value ? std::to_string(**field.value) : field.none;
  }
  std::string operator()(const RealField& field) const { return shortest(*field.value); }
  std::string operator()(const OptionalRealField& field) const {
    return *field.value ? shortest(**field.value) : field.none;
  }
  std::string operator()(const DurationField& field) const {
    return *field.value ? duration_text(**field.value) : field.none;
  }
  std::string operator()(const BooleanField& field) const {
    return *field.value ? "true" : "false";
  }
  std::string operator()(const TextField& field) const { return yaml_text(*field.value); }
  std::string operator()(const ChoiceField& field) const { return yaml_text(field.get()); }
  std::string operator()(const RealsField& field) const {
    std::vector<std::string> parts;
    for (const double value : *field.value) parts.push_back(shortest(value));
    return "[" + join(parts, ", ") + "]";
  }
  std::string operator()(const TextsField& field) const {
    std::vector<std::string> parts;
    for (const std::string& text : *field.value) parts.push_back(yaml_text(text));
    return "[" + join(parts, ", ") + "]";
  }
  std::string operator()(const SectionField&) const { return ""; }
  std::string operator()(const ListField& field) const {
    std::vector<std::string> parts;
    for (const Fields& element : field.elements()) parts.push_back(flow_mapping(element));
    return "[" + join(parts, ", ") + "]";
  }
};

bool reads_as_itself(std::string_view text) {
  static constexpr std::string_view kSafe = "_./-";
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto is_safe = [&](char c) {
    return is_letter(c) || is_digit(c) || kSafe.find(c) != std::string_view::npos;
  };
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_safe)) return false;
  if (!is_letter(text[0]) && text[0] != '/') return false;
  for (const char* reserved :
       {"true", "false", "null", "True", "False", "Null", "TRUE", "FALSE", "NULL"}) {
    if (text == reserved) return false;
  }
  return true;
}

void collect_values(const Fields& fields, const std::string& prefix, OnResume at_least,
                    std::vector<ConfigValue>& values) {
  for (const Field& field : fields.all()) {
    const OnResume rule = std::max(field.on_resume, at_least);
    if (const auto* section = std::get_if<SectionField>(&field.kind)) {
      collect_values(*section->fields, prefix + field.key + ".", rule, values);
    } else {
      values.push_back({prefix + field.key, value_text(field), rule});
    }
  }
}

}  // namespace

bool is_decimal_integer(std::string_view text) { return skip_integer(text) && text.empty(); }

bool is_decimal_real(std::string_view text) {
  return skip_integer(text) && skip_fraction(text) && skip_exponent(text) && text.empty();
}

std::string limits_text(const IntegerLimits& limits) {
  const IntegerLimits none;
  return bounds_text(limits.min == none.min ? "" : std::to_string(limits.min), false,
                     limits.max == none.max ? "" : std::to_string(limits.max), false);
}

std::string limits_text(const RealLimits& limits) {
  return bounds_text(std::isinf(limits.min) ? "" : shortest(limits.min), limits.min_excluded,
                     std::isinf(limits.max) ? "" : shortest(limits.max), limits.max_excluded);
}

std::string type_text(const Field& field) { return std::visit(TypeText{}, field.kind); }
std::string limits_text(const Field& field) { return std::visit(LimitsText{}, field.kind); }
std::string value_text(const Field& field) { return std::visit(ValueText{}, field.kind); }

std::string yaml_text(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  if (reads_as_itself(text)) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      quoted += cat("\\x", kDigits[byte >> 4], kDigits[byte & 15]);
    } else {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::vector<ConfigValue> config_values(const Fields& fields) {
  std::vector<ConfigValue> values;
  collect_values(fields, "", OnResume::kFree, values);
  return values;
}

bool is_named(std::string_view key, std::span<const std::string_view> names) {
  return std::ranges::any_of(names, [&](std::string_view name) {
    return name.ends_with('.') ? key.starts_with(name) : key == name;
  });
}

std::vector<ConfigChange> config_changes(const std::vector<ConfigValue>& before,
                                         const std::vector<ConfigValue>& now) {
  std::vector<ConfigChange> changes;
  for (size_t i = 0; i < now.size(); ++i) {
    if (before[i].text != now[i].text)
      changes.push_back({now[i].key, before[i].text, now[i].text, now[i].on_resume});
  }
  return changes;
}

}  // namespace lmtrain

#include "data/chat/template_attributes.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "base/text.h"
#include "base/utf8.h"
#include "data/chat/template_text.h"

namespace lmtrain {
namespace {

using Names = std::set<std::string, std::less<>>;

// The attributes that Python's type has: those that are covered, those that Jinja's sandbox hides
// because they change the value, and the others.
struct AttributesOfType {
  Names covered, hidden, others;
};

const AttributesOfType& attributes_of_text() {
  static const AttributesOfType attributes = {
      {"capitalize", "count", "endswith", "find", "join", "lower", "lstrip", "removeprefix",
       "removesuffix", "replace", "rfind", "rsplit", "rstrip", "split", "splitlines", "startswith",
       "strip", "title", "upper"},
      {},
      {"casefold",  "center",      "encode",  "expandtabs", "format",   "format_map",   "index",
       "isalnum",   "isalpha",     "isascii", "isdecimal",  "isdigit",  "isidentifier", "islower",
       "isnumeric", "isprintable", "isspace", "istitle",    "isupper",  "ljust",        "maketrans",
       "partition", "rindex",      "rjust",   "rpartition", "swapcase", "translate",    "zfill"}};
  return attributes;
}

const AttributesOfType& attributes_of_dict() {
  static const AttributesOfType attributes = {{"get", "items", "keys", "values"},
                                              {"clear", "pop", "popitem", "setdefault", "update"},
                                              {"copy", "fromkeys"}};
  return attributes;
}

const AttributesOfType& attributes_of_sequence(SequenceKind kind) {
  static const AttributesOfType list = {
      {},
      {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"},
      {"copy", "count", "index"}};
  static const AttributesOfType tuple = {{}, {}, {"count", "index"}};
  static const AttributesOfType range = {{}, {}, {"count", "index", "start", "step", "stop"}};
  static const AttributesOfType view = {{}, {}, {"isdisjoint", "mapping"}};
  if (kind == SequenceKind::kList) return list;
  if (kind == SequenceKind::kTuple) return tuple;
  return kind == SequenceKind::kRange ? range : view;
}

const AttributesOfType& attributes_of_other(const TemplateValue& value) {
  static const AttributesOfType none;
  static const AttributesOfType integer = {
      {},
      {},
      {"as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes",
       "imag", "numerator", "real", "to_bytes", "is_integer"}};
  static const AttributesOfType number = {
      {}, {}, {"as_integer_ratio", "conjugate", "fromhex", "hex", "imag", "is_integer", "real"}};
  static const AttributesOfType iterator = {
      {}, {}, {"close", "gi_running", "gi_suspended", "gi_yieldfrom", "send", "throw"}};
  static const AttributesOfType callable = {
      {}, {}, {"name", "arguments", "catch_kwargs", "catch_varargs", "caller", "explicit_caller"}};
  if (as_integer(value)) return integer;
  if (value.is<double>()) return number;
  if (value.is<TemplateValue::Iterator>()) return iterator;
  return value.is<TemplateValue::Callable>() ? callable : none;
}

const AttributesOfType& attributes_of(const TemplateValue& value) {
  if (value.text() != nullptr) return attributes_of_text();
  if (value.is<TemplateValue::Dict>()) return attributes_of_dict();
  const auto* sequence = value.as<TemplateValue::Sequence>();
  return sequence != nullptr ? attributes_of_sequence((*sequence)->kind)
                             : attributes_of_other(value);
}

// What Python's getattr gives, nothing where it raises.
std::optional<TemplateValue> python_attribute(const TemplateValue& value, const std::string& name) {
  if (const auto* loop = value.as<TemplateValue::Loop>()) return (*loop)->attribute(name);
  if (const auto* name_space = value.as<TemplateValue::Namespace>()) {
    const auto found = (*name_space)->attributes.find(name);
    if (found == (*name_space)->attributes.end()) return std::nullopt;
    return found->second;
  }
  const AttributesOfType& attributes = attributes_of(value);
  if (attributes.covered.contains(name)) return method_value(value, name);
  if (attributes.hidden.contains(name)) {
    return undefined_value(cat("the sandbox does not allow the method '", name, "' of a ",
                               type_name(value), ", which would change it"));
  }
  if (attributes.others.contains(name)) {
    throw TemplateFault(cat("the method '", name, "' of a ", type_name(value), " is not covered"));
  }
  return std::nullopt;
}

TemplateValue missing_attribute(const TemplateValue& value, const std::string& name) {
  return undefined_value(
      cat("a value of type '", type_name(value), "' has no attribute or key '", name, "'"));
}

// The index counted from the front, nothing where it is outside.
std::optional<size_t> place_of(int64_t index, size_t size) {
  const auto length = static_cast<int64_t>(size);
  if (index < -length || index >= length) return std::nullopt;
  return static_cast<size_t>(index < 0 ? index + length : index);
}

std::optional<TemplateValue> character_at(const std::string& text, int64_t index,
                                          TemplateBudget& budget) {
  budget.spend(text.size());
  std::optional<size_t> place = place_of(index, static_cast<size_t>(num_characters(text)));
  if (!place) return std::nullopt;
  size_t begin = 0;
  for (size_t i = 0; i < *place; ++i) next_character(text, begin);
  size_t end = begin;
  next_character(text, end);
  return text_value(text.substr(begin, end - begin));
}

std::optional<TemplateValue> item_at(const TemplateValue& value, int64_t index,
                                     TemplateBudget& budget) {
  if (const std::string* text = value.text()) return character_at(*text, index, budget);
  const auto* sequence = value.as<TemplateValue::Sequence>();
  if (sequence == nullptr || (*sequence)->kind > SequenceKind::kRange) return std::nullopt;
  const std::optional<size_t> place = place_of(index, (*sequence)->items.size());
  return place ? std::optional<TemplateValue>((*sequence)->items[*place]) : std::nullopt;
}

bool can_be_key(const TemplateValue& key) {
  const auto* sequence = key.as<TemplateValue::Sequence>();
  return sequence == nullptr ? !key.is<TemplateValue::Dict>()
                             : (*sequence)->kind == SequenceKind::kTuple;
}

std::optional<int64_t> bound(const TemplateValue& value) {
  if (value.is<TemplateValue::None>()) return std::nullopt;
  require_defined(value);
  const std::optional<int64_t> integer = as_integer(value);
  if (!integer) throw TemplateFault("the bounds of a slice must be integers");
  return integer;
}

// The places that a slice of `size` items takes, in its order.
std::vector<size_t> places_of_slice(const SliceBounds& bounds, size_t size,
                                    TemplateBudget& budget) {
  const int64_t step = bound(bounds.step).value_or(1);
  if (step == 0) throw TemplateFault("the step of a slice must not be 0");
  const auto length = static_cast<int64_t>(size);
  // A slice that goes backwards may begin at the last item and end before the first.
  const int64_t lowest = step > 0 ? 0 : -1;
  const int64_t highest = step > 0 ? length : length - 1;
  const auto limited = [&](const TemplateValue& value, int64_t when_none) {
    const std::optional<int64_t> given = bound(value);
    if (!given) return when_none;
    return std::clamp(*given < 0 ? *given + length : *given, lowest, highest);
  };
  const int64_t begin = limited(bounds.begin, step > 0 ? lowest : highest);
  const int64_t end = limited(bounds.end, step > 0 ? highest : lowest);
  // Larger steps leave the sequence just the same, and cannot overflow.
  const int64_t stride = std::clamp(step, -length - 1, length + 1);
  std::vector<size_t> places;
  for (int64_t at = begin; stride > 0 ? at < end : at > end; at += stride) {
    budget.step();
    places.push_back(static_cast<size_t>(at));
  }
  return places;
}

}  // namespace

TemplateValue attribute_of(const TemplateValue& value, const std::string& name,
                           TemplateBudget& budget) {
  require_defined(value);
  require_not_safe(value);
  if (std::optional<TemplateValue> found = python_attribute(value, name)) return *found;
  if (const auto* dict = value.as<TemplateValue::Dict>()) {
    const TemplateValue* found = (*dict)->find(text_value(name), budget);
    if (found != nullptr) return *found;
  }
  return missing_attribute(value, name);
}

TemplateValue item_of(const TemplateValue& value, const TemplateValue& key,
                      TemplateBudget& budget) {
  require_defined(value);
  require_not_safe(value);
  if (const auto* dict = value.as<TemplateValue::Dict>()) {
    const TemplateValue* found = can_be_key(key) ? (*dict)->find(key, budget) : nullptr;
    if (found != nullptr) return *found;
  } else if (const std::optional<int64_t> index = as_integer(key)) {
    if (std::optional<TemplateValue> found = item_at(value, *index, budget)) return *found;
  }
  if (const std::string* name = key.text()) {
    if (std::optional<TemplateValue> found = python_attribute(value, *name)) return *found;
    return missing_attribute(value, *name);
  }
  return undefined_value(cat("a value of type '", type_name(value), "' has no such element"));
}

TemplateValue slice_of(const TemplateValue& value, const SliceBounds& bounds,
                       TemplateBudget& budget) {
  require_defined(value);
  require_not_safe(value);
  if (const std::string* text = value.text()) {
    budget.spend(text->size() * sizeof(size_t));
    const std::vector<size_t> offsets = character_offsets(*text);
    std::string result;
    for (const size_t place : places_of_slice(bounds, offsets.size() - 1, budget)) {
      result.append(*text, offsets[place], offsets[place + 1] - offsets[place]);
    }
    return text_value(std::move(result));
  }
  const auto* sequence = value.as<TemplateValue::Sequence>();
  if (sequence == nullptr || (*sequence)->kind > SequenceKind::kRange) {
    throw TemplateFault(cat("a value of type '", type_name(value), "' has no slices"));
  }
  TemplateItems items;
  for (const size_t place : places_of_slice(bounds, (*sequence)->items.size(), budget)) {
    items.push_back((*sequence)->items[place]);
  }
  return sequence_value((*sequence)->kind, std::move(items));
}

}  // namespace lmtrain

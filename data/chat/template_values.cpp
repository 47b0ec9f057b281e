#include "data/chat/template_values.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "base/utf8.h"
#include "data/chat/template_text.h"

namespace lmtrain {
namespace {

int checked_depth(int depth) {
  if (depth > kMaxValueDepth) {
    throw TemplateFault(cat("a value is nested deeper than ", kMaxValueDepth, " levels"));
  }
  return depth;
}

// Integers, booleans and floats of one value are one key in Python.
std::string number_key(const TemplateValue& value) {
  const std::optional<int64_t> integer = as_integer(value);
  if (integer) return cat("n", *integer);
  const double number = *value.as<double>();
  constexpr double kExact = 9e15;
  const bool is_whole = std::abs(number) < kExact && number == std::floor(number);
  return is_whole ? cat("n", static_cast<int64_t>(number)) : cat("n", float_text(number));
}

// A text that two keys share exactly where Python takes them for equal.
std::string key_text(const TemplateValue& key, TemplateBudget& budget) {
  budget.step();
  if (const std::string* text = key.text()) {
    budget.spend(text->size());
    return "t" + *text;
  }
  if (as_number(key)) return number_key(key);
  if (key.is<TemplateValue::None>()) return "-";
  if (key.is<TemplateValue::Undefined>()) return "?";
  const auto* sequence = key.as<TemplateValue::Sequence>();
  if (sequence == nullptr || (*sequence)->kind != SequenceKind::kTuple) {
    throw TemplateFault(cat("a value of type '", type_name(key), "' cannot be a key of a dict"));
  }
  std::string joined = "(";
  for (const TemplateValue& item : (*sequence)->items) {
    const std::string part = key_text(item, budget);
    joined += cat(part.size(), ":", part);
    budget.spend(joined.size());
  }
  return joined;
}

using Next = std::function<std::optional<TemplateValue>()>;

Next characters_of(const TemplateValue::Text& text) {
  return [text, at = size_t{0}]() mutable -> std::optional<TemplateValue> {
    if (at == text->size()) return std::nullopt;
    const size_t begin = at;
    next_character(*text, at);
    return text_value(text->substr(begin, at - begin));
  };
}

Next keys_of(const TemplateValue::Dict& dict) {
  return [dict, at = size_t{0}]() mutable -> std::optional<TemplateValue> {
    if (at == dict->entries.size()) return std::nullopt;
    return dict->entries[at++].first;
  };
}

Next items_of(const TemplateValue::Sequence& sequence) {
  return [sequence, at = size_t{0}]() mutable -> std::optional<TemplateValue> {
    if (at == sequence->items.size()) return std::nullopt;
    return sequence->items[at++];
  };
}

Next unlimited_items_of(const TemplateValue& value) {
  if (const auto* text = value.as<TemplateValue::Text>()) return characters_of(*text);
  if (const auto* sequence = value.as<TemplateValue::Sequence>()) return items_of(*sequence);
  if (const auto* dict = value.as<TemplateValue::Dict>()) return keys_of(*dict);
  if (const auto* iterator = value.as<TemplateValue::Iterator>()) {
    return [iterator = *iterator] { return iterator->next(); };
  }
  if (value.is<TemplateValue::Undefined>()) return [] { return std::nullopt; };
  throw TemplateFault(cat("a value of type '", type_name(value), "' cannot be iterated over"));
}

}  // namespace

const std::string* TemplateValue::text() const {
  const Text* text = as<Text>();
  return text == nullptr ? nullptr : text->get();
}

const TemplateValue* TemplateDict::find(const TemplateValue& key, TemplateBudget& budget) const {
  const auto found = places.find(key_text(key, budget));
  return found == places.end() ? nullptr : &entries[found->second].second;
}

void TemplateDict::set(const TemplateValue& key, TemplateValue value, TemplateBudget& budget) {
  budget.step();
  depth = checked_depth(std::max({depth, depth_of(key) + 1, depth_of(value) + 1}));
  const auto [place, is_new] = places.emplace(key_text(key, budget), entries.size());
  if (is_new) {
    entries.emplace_back(key, std::move(value));
  } else {
    entries[place->second].second = std::move(value);
  }
}

void TemplateLoop::look_ahead() {
  if (!ahead) ahead = source->next();
}

bool TemplateLoop::advance() {
  look_ahead();
  if (!ahead) return false;
  previous = std::move(current);
  current = std::exchange(ahead, std::nullopt);
  ++index0;
  return true;
}

bool TemplateLoop::is_last() {
  look_ahead();
  return !ahead;
}

int64_t TemplateLoop::length() {
  if (known_length) return *known_length;
  TemplateItems rest;
  if (ahead) rest.push_back(*std::exchange(ahead, std::nullopt));
  while (std::optional<TemplateValue> item = source->next()) rest.push_back(std::move(*item));
  known_length = index0 + 1 + static_cast<int64_t>(rest.size());
  const TemplateValue list = list_value(std::move(rest));
  const Next next = items_of(*list.as<TemplateValue::Sequence>());
  source = std::make_shared<TemplateIterator>(TemplateIterator{next, source->depth});
  return *known_length;
}

std::optional<TemplateValue> TemplateLoop::attribute(const std::string& name) {
  if (name == "index0") return TemplateValue{index0};
  if (name == "index") return TemplateValue{index0 + 1};
  if (name == "first") return TemplateValue{index0 == 0};
  if (name == "last") return TemplateValue{is_last()};
  if (name == "length") return TemplateValue{length()};
  if (name == "revindex") return TemplateValue{length() - index0};
  if (name == "revindex0") return TemplateValue{length() - index0 - 1};
  if (name == "depth") return TemplateValue{int64_t{1}};
  if (name == "depth0") return TemplateValue{int64_t{0}};
  if (name == "previtem") {
    return index0 > 0 ? *previous : undefined_value("there is no previous item");
  }
  if (name == "nextitem") {
    return is_last() ? undefined_value("there is no next item") : *ahead;
  }
  if (name == "cycle" || name == "changed") {
    throw TemplateFault(cat("loop.", name, " is not covered"));
  }
  return std::nullopt;
}

TemplateValue text_value(std::string text) {
  return {std::make_shared<const std::string>(std::move(text))};
}

TemplateValue undefined_value(std::string reason) {
  return {TemplateValue::Undefined{std::make_shared<const std::string>(std::move(reason))}};
}

TemplateValue sequence_value(SequenceKind kind, TemplateItems items) {
  int depth = 0;
  for (const TemplateValue& item : items) depth = std::max(depth, depth_of(item));
  return {std::make_shared<const TemplateSequence>(
      TemplateSequence{kind, std::move(items), checked_depth(depth + 1)})};
}

TemplateValue list_value(TemplateItems items) {
  return sequence_value(SequenceKind::kList, std::move(items));
}

TemplateValue dict_value(TemplateDict dict) {
  return {std::make_shared<const TemplateDict>(std::move(dict))};
}

TemplateValue iterator_value(std::function<std::optional<TemplateValue>()> next, int depth) {
  return {
      std::make_shared<TemplateIterator>(TemplateIterator{std::move(next), checked_depth(depth)})};
}

TemplateValue method_value(const TemplateValue& owner, const std::string& name) {
  checked_depth(depth_of(owner) + 1);
  return {std::make_shared<const TemplateCallable>(TemplateCallable{name, owner, nullptr})};
}

int depth_of(const TemplateValue& value) {
  if (const auto* sequence = value.as<TemplateValue::Sequence>()) return (*sequence)->depth;
  if (const auto* dict = value.as<TemplateValue::Dict>()) return (*dict)->depth;
  if (const auto* iterator = value.as<TemplateValue::Iterator>()) return (*iterator)->depth;
  if (const auto* loop = value.as<TemplateValue::Loop>()) return (*loop)->source->depth + 1;
  const auto* callable = value.as<TemplateValue::Callable>();
  return callable != nullptr && (*callable)->owner ? depth_of(*(*callable)->owner) + 1 : 0;
}

std::string type_name(const TemplateValue& value) {
  if (const auto* sequence = value.as<TemplateValue::Sequence>()) {
    static constexpr std::array<const char*, 6> kNames = {"list",      "tuple",       "range",
                                                          "dict_keys", "dict_values", "dict_items"};
    return kNames[static_cast<size_t>((*sequence)->kind)];
  }
  static constexpr std::array<const char*, 12> kNames = {
      "NoneType", "Undefined", "bool",      "int",      "float",       "str",
      "",         "dict",      "generator", "function", "LoopContext", "Namespace"};
  return kNames[value.held.index()];
}

bool is_true(const TemplateValue& value) {
  if (value.is<TemplateValue::None>() || value.is<TemplateValue::Undefined>()) return false;
  if (const std::optional<double> number = as_number(value)) return *number != 0;
  if (const std::string* text = value.text()) return !text->empty();
  if (const auto* dict = value.as<TemplateValue::Dict>()) return !(*dict)->entries.empty();
  const auto* sequence = value.as<TemplateValue::Sequence>();
  return sequence == nullptr || !(*sequence)->items.empty();
}

std::optional<int64_t> as_integer(const TemplateValue& value) {
  if (const bool* boolean = value.as<bool>()) return *boolean ? 1 : 0;
  const int64_t* integer = value.as<int64_t>();
  return integer == nullptr ? std::nullopt : std::optional<int64_t>(*integer);
}

std::optional<double> as_number(const TemplateValue& value) {
  if (const double* number = value.as<double>()) return *number;
  const std::optional<int64_t> integer = as_integer(value);
  return integer ? std::optional<double>(static_cast<double>(*integer)) : std::nullopt;
}

TemplateValue::Iterator iterate(const TemplateValue& value, TemplateBudget& budget) {
  const int depth = checked_depth(depth_of(value) + 1);
  const Next unlimited = unlimited_items_of(value);
  const Next next = [&budget, unlimited] {
    budget.step();
    return unlimited();
  };
  return std::make_shared<TemplateIterator>(TemplateIterator{next, depth});
}

TemplateItems items_of(const TemplateValue& value, TemplateBudget& budget) {
  const TemplateValue::Iterator iterator = iterate(value, budget);
  TemplateItems items;
  while (std::optional<TemplateValue> item = iterator->next()) items.push_back(std::move(*item));
  return items;
}

std::optional<size_t> length_of(const TemplateValue& value, TemplateBudget& budget) {
  if (const std::string* text = value.text()) {
    budget.spend(text->size());
    return static_cast<size_t>(num_characters(*text));
  }
  if (const auto* sequence = value.as<TemplateValue::Sequence>()) return (*sequence)->items.size();
  if (const auto* dict = value.as<TemplateValue::Dict>()) return (*dict)->entries.size();
  if (const auto* loop = value.as<TemplateValue::Loop>()) return (*loop)->length();
  return value.is<TemplateValue::Undefined>() ? std::optional<size_t>(0) : std::nullopt;
}

void fail_of_undefined(const TemplateValue& value) {
  throw TemplateFault(*value.as<TemplateValue::Undefined>()->reason);
}

void require_not_safe(const TemplateValue& value) {
  if (value.is_safe) throw TemplateFault("changing what the filter 'safe' gives is not covered");
}

void require_defined(const TemplateValue& value) {
  if (value.is<TemplateValue::Undefined>()) fail_of_undefined(value);
}

}  // namespace lmtrain

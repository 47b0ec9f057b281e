#include "data/chat/template_functions.h"

#include <array>
#include <cstdlib>
#include <ctime>
#include <set>

#include "base/text.h"
#include "data/chat/template_print.h"

namespace lmtrain {
namespace {

TemplateValue make_range(const TemplateArguments& arguments, TemplateBudget& budget) {
  constexpr size_t kMaxItems = 100000;  // the limit of Jinja's sandbox
  if (!arguments.keywords.empty()) throw TemplateFault("range() takes no keywords");
  const BoundArguments bound("range()", arguments, {"start", "stop", "step"}, 1);
  const bool has_stop = bound.find(1) != nullptr;
  const int64_t begin = has_stop ? bound.integer(0, 0) : 0;
  const int64_t end = bound.integer(has_stop ? 1 : 0, 0);
  const int64_t step = bound.integer(2, 1);
  if (step == 0) throw TemplateFault("the step of range() must not be 0");
  TemplateItems items;
  for (int64_t at = begin; step > 0 ? at < end : at > end;) {
    if (items.size() == kMaxItems) throw TemplateFault("a range has more than 100,000 items");
    budget.step();
    items.push_back({at});
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return sequence_value(SequenceKind::kRange, std::move(items));
}

void add_pair(TemplateDict& dict, const TemplateValue& pair, TemplateBudget& budget) {
  const TemplateItems items = items_of(pair, budget);
  if (items.size() != 2) throw TemplateFault("dict() takes pairs of key and value");
  dict.set(items[0], items[1], budget);
}

// Python's dict(): of a dict or of pairs, and of keywords.
TemplateDict make_dict(const TemplateArguments& arguments, TemplateBudget& budget) {
  TemplateDict dict;
  if (arguments.positional.size() > 1) throw TemplateFault("dict() takes one value and keywords");
  for (const TemplateValue& value : arguments.positional) {
    if (const auto* given = value.as<TemplateValue::Dict>()) {
      for (const auto& [key, item] : (*given)->entries) dict.set(key, item, budget);
      continue;
    }
    const TemplateValue::Iterator pairs = iterate(value, budget);
    while (const std::optional<TemplateValue> pair = pairs->next()) add_pair(dict, *pair, budget);
  }
  for (const auto& [name, value] : arguments.keywords) dict.set(text_value(name), value, budget);
  return dict;
}

// The format as Python's strftime reads it for a time without a zone.
std::string checked_format(const std::string& format) {
  static constexpr std::string_view kSame = "aAbBcdDeFgGhHIjmMnpRSTtuUVwWxXyY%";
  std::string checked;
  for (size_t at = 0; at < format.size(); ++at) {
    checked += format[at];
    if (format[at] != '%') continue;
    ++at;
    if (at < format.size() && (format[at] == 'z' || format[at] == 'Z')) {
      checked.pop_back();
    } else if (at < format.size() && kSame.find(format[at]) != std::string_view::npos) {
      checked += format[at];
    } else {
      throw TemplateFault(cat("the format '%", format.substr(at, 1), "' of a date is not covered"));
    }
  }
  return checked;
}

std::string time_now(const std::string& format) {
  constexpr size_t kMaxFormat = 200;
  if (format.size() > kMaxFormat) throw TemplateFault("the format of a date is too long");
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, kMaxFormat * 64> buffer;
  const size_t size =
      std::strftime(buffer.data(), buffer.size(), checked_format(format).c_str(), &local);
  return {buffer.data(), size};
}

}  // namespace

bool TemplateFunctions::has(std::string_view name) {
  static const std::set<std::string, std::less<>> names = {"dict", "namespace", "raise_exception",
                                                           "range", "strftime_now"};
  return names.contains(name);
}

TemplateValue TemplateFunctions::call(const std::string& name, const TemplateArguments& arguments) {
  if (name == "range") return make_range(arguments, budget_);
  if (name == "dict") return dict_value(make_dict(arguments, budget_));
  if (name == "namespace") return make_namespace(arguments);
  if (name == "strftime_now") {
    const BoundArguments bound("strftime_now()", arguments, {"format"}, 1);
    return text_value(time_now(bound.text(0)));
  }
  const BoundArguments bound("raise_exception()", arguments, {"message"}, 1);
  throw TemplateFault(cat("the template refuses the chat: ", printed(bound.at(0), budget_)));
}

TemplateValue TemplateFunctions::make_namespace(const TemplateArguments& arguments) {
  TemplateNamespace& name_space = namespaces_.emplace_back();
  for (const auto& [key, value] : make_dict(arguments, budget_).entries) {
    if (key.text() == nullptr) throw TemplateFault("an attribute's name must be a text");
    set_attribute(name_space, *key.text(), value);
  }
  return {&name_space};
}

void set_attribute(TemplateNamespace& name_space, const std::string& name, TemplateValue value) {
  if (name.starts_with('_')) {
    throw TemplateFault(cat("a namespace takes no attribute that begins with _, such as ", name));
  }
  name_space.attributes[name] = std::move(value);
}

}  // namespace lmtrain

#include "data/chat/template_filters.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/text.h"
#include "data/chat/template_methods.h"
#include "data/chat/template_print.h"
#include "data/chat/template_text.h"

namespace lmtrain {
namespace {

// A use of a filter.
struct FilterCall {
  std::string name;
  const TemplateValue& value;
  const TemplateArguments& arguments;
  TemplateBudget& budget;

  BoundArguments bound(const std::vector<std::string>& names, size_t num_required) const {
    return {name, arguments, names, num_required};
  }
  std::string text() const { return printed(value, budget); }
};

TemplateValue trim(const FilterCall& call) {
  TemplateArguments arguments = call.arguments;
  const std::string* text = call.value.text();
  const TemplateValue owner = text != nullptr ? call.value : text_value(call.text());
  return call_method(owner, "strip", arguments, call.budget);
}

TemplateValue length(const FilterCall& call) {
  call.bound({}, 0);
  const std::optional<size_t> size = length_of(call.value, call.budget);
  if (!size)
    throw TemplateFault(cat("a value of type '", type_name(call.value), "' has no length"));
  return {static_cast<int64_t>(*size)};
}

template <std::string (*change)(std::string_view)>
TemplateValue change_case(const FilterCall& call) {
  call.bound({}, 0);
  return text_value(change(call.text()));
}

TemplateValue to_text(const FilterCall& call) {
  call.bound({}, 0);
  return call.value.text() != nullptr ? call.value : text_value(call.text());
}

TemplateValue to_safe(const FilterCall& call) {
  TemplateValue value = to_text(call);
  value.is_safe = true;
  return value;
}

template <TemplateValue (*sort)(const TemplateValue&, const TemplateArguments&, TemplateBudget&)>
TemplateValue sorted_by(const FilterCall& call) {
  return sort(call.value, call.arguments, call.budget);
}

TemplateValue join_items(const FilterCall& call) {
  const BoundArguments arguments = call.bound({"d", "attribute"}, 0);
  const TemplateValue* given = arguments.find(0);
  const std::string separator = given != nullptr ? printed(*given, call.budget) : "";
  const TemplateValue* attribute = arguments.find(1);
  const TemplateItems path =
      attribute != nullptr ? path_of(*attribute, call.budget) : TemplateItems();
  std::string joined;
  bool is_first = true;
  const TemplateValue::Iterator items = iterate(call.value, call.budget);
  while (const std::optional<TemplateValue> item = items->next()) {
    call.budget.spend(separator.size());
    if (!is_first) joined += separator;
    is_first = false;
    joined += printed(value_at_path(*item, path, call.budget), call.budget);
  }
  return text_value(std::move(joined));
}

TemplateValue value_or_default(const FilterCall& call) {
  const BoundArguments arguments = call.bound({"default_value", "boolean"}, 0);
  const bool is_absent =
      call.value.is<TemplateValue::Undefined>() || (arguments.is_true(1) && !is_true(call.value));
  if (!is_absent) return call.value;
  return arguments.find(0) != nullptr ? arguments.at(0) : text_value("");
}

TemplateValue first_item(const FilterCall& call) {
  call.bound({}, 0);
  const std::optional<TemplateValue> item = iterate(call.value, call.budget)->next();
  return item ? *item : undefined_value("the first item of an empty sequence is undefined");
}

// The items from the last to the first. Python cannot reverse a generator.
TemplateItems reversed_items(const FilterCall& call) {
  TemplateItems items = items_of(call.value, call.budget);
  std::reverse(items.begin(), items.end());
  return items;
}

TemplateValue last_item(const FilterCall& call) {
  call.bound({}, 0);
  if (call.value.is<TemplateValue::Iterator>()) {
    throw TemplateFault("the filter 'last' does not take a generator; 'list' makes a list of it");
  }
  const TemplateItems items = reversed_items(call);
  return items.empty() ? undefined_value("the last item of an empty sequence is undefined")
                       : items.front();
}

TemplateValue reverse(const FilterCall& call) {
  call.bound({}, 0);
  if (const std::string* text = call.value.text()) {
    std::string result;
    for (const TemplateValue& character : reversed_items(call)) result += *character.text();
    call.budget.spend(text->size());
    return text_value(std::move(result));
  }
  TemplateValue list = list_value(reversed_items(call));
  if (call.value.is<TemplateValue::Iterator>()) return list;
  const TemplateValue::Iterator items = iterate(list, call.budget);
  return iterator_value([items] { return items->next(); }, items->depth + 1);
}

TemplateValue to_list(const FilterCall& call) {
  call.bound({}, 0);
  return list_value(items_of(call.value, call.budget));
}

TemplateValue dict_items(const FilterCall& call) {
  call.bound({}, 0);
  TemplateItems pairs;
  if (const auto* dict = call.value.as<TemplateValue::Dict>()) {
    pairs = pairs_of(**dict, call.budget);
  } else if (!call.value.is<TemplateValue::Undefined>()) {
    throw TemplateFault("the filter 'items' takes a dict only");
  }
  const TemplateValue::Iterator items = iterate(list_value(std::move(pairs)), call.budget);
  return iterator_value([items] { return items->next(); }, items->depth + 1);
}

std::optional<int64_t> truncated(double number) {
  if (!std::isfinite(number)) return std::nullopt;
  constexpr double kLimit = 9.2233720368547758e18;  // 2^63
  if (number >= kLimit || number < -kLimit) throw TemplateFault("an integer has more than 64 bits");
  return static_cast<int64_t>(number);
}

TemplateValue to_integer(const FilterCall& call) {
  const BoundArguments arguments = call.bound({"default", "base"}, 0);
  if (arguments.integer(1, 10) != 10) {
    throw TemplateFault("the filter 'int' of another base than 10 is not covered");
  }
  require_defined(call.value);
  if (const std::optional<int64_t> integer = as_integer(call.value)) return {*integer};
  std::optional<double> number;
  if (const std::string* text = call.value.text()) {
    call.budget.spend(text->size());
    if (const std::optional<int64_t> integer = read_integer(*text)) return {*integer};
    number = read_float(*text);
  } else if (const double* given = call.value.as<double>()) {
    if (std::isinf(*given)) throw TemplateFault("an infinite number has no integer");
    number = *given;
  }
  const std::optional<int64_t> integer = number ? truncated(*number) : std::nullopt;
  if (integer) return {*integer};
  return arguments.find(0) != nullptr ? arguments.at(0) : TemplateValue{int64_t{0}};
}

TemplateValue to_float(const FilterCall& call) {
  const BoundArguments arguments = call.bound({"default"}, 0);
  require_defined(call.value);
  std::optional<double> number = as_number(call.value);
  if (const std::string* text = call.value.text()) number = read_float(*text);
  if (number) return {*number};
  return arguments.find(0) != nullptr ? arguments.at(0) : TemplateValue{0.0};
}

TemplateValue replace(const FilterCall& call) {
  const BoundArguments arguments = call.bound({"old", "new", "count"}, 2);
  const TemplateValue* count = arguments.find(2);
  const bool is_limited = count != nullptr && !count->is<TemplateValue::None>();
  return replaced_text(call.text(), printed(arguments.at(0), call.budget),
                       printed(arguments.at(1), call.budget),
                       is_limited ? arguments.integer(2, -1) : -1, call.budget);
}

std::optional<std::string> json_indent(const BoundArguments& arguments, TemplateBudget& budget) {
  const TemplateValue* given = arguments.find(1);
  if (given == nullptr || given->is<TemplateValue::None>()) return std::nullopt;
  if (given->text() != nullptr) return *given->text();
  const int64_t width = std::max<int64_t>(arguments.integer(1, 0), 0);
  budget.spend(static_cast<size_t>(width));
  return std::string(static_cast<size_t>(width), ' ');
}

TemplateValue to_json(const FilterCall& call) {
  const BoundArguments arguments =
      call.bound({"ensure_ascii", "indent", "separators", "sort_keys"}, 0);
  JsonStyle style;
  style.is_ascii_only = arguments.is_true(0);
  style.indent = json_indent(arguments, call.budget);
  if (style.indent) style.item_separator = ",";
  const TemplateValue* given = arguments.find(2);
  if (given != nullptr && !given->is<TemplateValue::None>()) {
    const TemplateItems separators = items_of(*given, call.budget);
    if (separators.size() != 2 || !separators[0].text() || !separators[1].text()) {
      throw TemplateFault("the separators of tojson must be two texts");
    }
    style.item_separator = *separators[0].text();
    style.key_separator = *separators[1].text();
  }
  style.has_sorted_keys = arguments.is_true(3);
  return text_value(json_of(call.value, style, call.budget));
}

using Filter = TemplateValue (*)(const FilterCall&);

const std::map<std::string, Filter, std::less<>>& filters() {
  static const std::map<std::string, Filter, std::less<>> all = {
      {"capitalize", change_case<capitalized_text>},
      {"count", length},
      {"d", value_or_default},
      {"default", value_or_default},
      {"dictsort", sorted_by<sorted_pairs>},
      {"first", first_item},
      {"float", to_float},
      {"int", to_integer},
      {"items", dict_items},
      {"join", join_items},
      {"last", last_item},
      {"length", length},
      {"list", to_list},
      {"lower", change_case<lower_text>},
      {"replace", replace},
      {"reverse", reverse},
      {"safe", to_safe},
      {"sort", sorted_by<sorted_items>},
      {"string", to_text},
      {"title", change_case<title_filter_text>},
      {"tojson", to_json},
      {"trim", trim},
      {"upper", change_case<upper_text>},
  };
  return all;
}

}  // namespace

bool has_template_filter(std::string_view name) {
  return filters().contains(name) || has_selecting_filter(name);
}

TemplateValue apply_filter(const std::string& name, const TemplateValue& value,
                           const TemplateArguments& arguments, TemplateBudget& budget) {
  if (has_selecting_filter(name)) return apply_selecting_filter(name, value, arguments, budget);
  const auto found = filters().find(name);
  if (found == filters().end()) throw TemplateFault(cat("the filter '", name, "' is not covered"));
  // These give a safe text again of such a text.
  static const std::set<std::string, std::less<>> keep_safe = {
      "capitalize", "last", "lower", "reverse", "title", "trim", "upper"};
  if (keep_safe.contains(name)) require_not_safe(value);
  return found->second({"the filter '" + name + "'", value, arguments, budget});
}

}  // namespace lmtrain

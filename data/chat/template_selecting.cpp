// The filters that go over items one by one. They give generators, which do their work when their
// items are asked for.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "data/chat/template_attributes.h"
#include "data/chat/template_filters.h"
#include "data/chat/template_text.h"

namespace lmtrain {
namespace {

using Next = std::function<std::optional<TemplateValue>()>;

TemplateArguments without_first(const TemplateArguments& arguments, size_t count) {
  TemplateArguments rest = arguments;
  rest.positional.erase(rest.positional.begin(),
                        rest.positional.begin() + static_cast<ptrdiff_t>(count));
  return rest;
}

// The text argument at `place`, which names a filter or a test.
std::string name_at(const TemplateArguments& arguments, size_t place, const std::string& what) {
  const std::string* name = arguments.positional[place].text();
  if (name == nullptr) throw TemplateFault(cat("the name that '", what, "' takes must be a text"));
  return *name;
}

using Change = std::function<TemplateValue(const TemplateValue&)>;

Change change_by_attribute(const TemplateArguments& arguments, TemplateBudget& budget) {
  const BoundArguments bound("map", arguments, {"attribute", "default"}, 1);
  const TemplateItems path = path_of(bound.at(0), budget);
  const TemplateValue when_absent = bound.find(1) != nullptr ? bound.at(1) : TemplateValue();
  return [path, when_absent, &budget](const TemplateValue& item) {
    TemplateValue value = item;
    for (const TemplateValue& part : path) {
      value = item_of(value, part, budget);
      const bool is_absent = value.is<TemplateValue::Undefined>();
      if (is_absent && !when_absent.is<TemplateValue::None>()) value = when_absent;
    }
    return value;
  };
}

Change change_by_filter(const TemplateArguments& arguments, TemplateBudget& budget) {
  if (arguments.positional.empty()) throw TemplateFault("map needs the name of a filter");
  const std::string name = name_at(arguments, 0, "map");
  return [name, rest = without_first(arguments, 1), &budget](const TemplateValue& item) {
    return apply_filter(name, item, rest, budget);
  };
}

Next mapped(const TemplateValue::Iterator& items, const TemplateArguments& arguments,
            TemplateBudget& budget) {
  const bool is_attribute =
      arguments.positional.empty() &&
      std::any_of(arguments.keywords.begin(), arguments.keywords.end(),
                  [](const auto& keyword) { return keyword.first == "attribute"; });
  const Change change =
      is_attribute ? change_by_attribute(arguments, budget) : change_by_filter(arguments, budget);
  return [items, change]() -> std::optional<TemplateValue> {
    const std::optional<TemplateValue> item = items->next();
    return item ? std::optional<TemplateValue>(change(*item)) : std::nullopt;
  };
}

using Choice = std::function<bool(const TemplateValue&)>;

// Whether an item passes the test that the arguments name, or is true where they name none.
Choice choice_of(const std::string& filter, const TemplateArguments& arguments,
                 TemplateBudget& budget) {
  const bool has_attribute = filter.ends_with("attr");
  if (has_attribute && arguments.positional.empty()) {
    throw TemplateFault(cat(filter, " needs the name of an attribute"));
  }
  const TemplateItems path =
      has_attribute ? path_of(arguments.positional[0], budget) : TemplateItems();
  const size_t place = has_attribute ? 1 : 0;
  if (arguments.positional.size() == place) {
    return [path, &budget](const TemplateValue& item) {
      return is_true(value_at_path(item, path, budget));
    };
  }
  const std::string name = name_at(arguments, place, filter);
  return
      [path, name, rest = without_first(arguments, place + 1), &budget](const TemplateValue& item) {
        return apply_test(name, value_at_path(item, path, budget), rest, budget);
      };
}

Next selected(const TemplateValue::Iterator& items, const Choice& choice, bool is_kept) {
  return [items, choice, is_kept]() -> std::optional<TemplateValue> {
    while (std::optional<TemplateValue> item = items->next()) {
      if (choice(*item) == is_kept) return item;
    }
    return std::nullopt;
  };
}

int depth_of_all(const TemplateValue& value, const TemplateArguments& arguments) {
  int depth = depth_of(value) + 1;
  for (const TemplateValue& item : arguments.positional) depth = std::max(depth, depth_of(item));
  for (const auto& keyword : arguments.keywords) depth = std::max(depth, depth_of(keyword.second));
  return depth + 1;
}

}  // namespace

TemplateItems path_of(const TemplateValue& attribute, TemplateBudget& budget) {
  if (attribute.is<TemplateValue::None>()) return {};
  const std::string* text = attribute.text();
  if (text == nullptr) return {attribute};
  TemplateItems path;
  for (const std::string& part : split_at(*text, ".", -1, budget)) {
    const bool is_number =
        !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
    path.push_back(is_number ? TemplateValue{*read_integer(part)} : text_value(part));
  }
  return path;
}

TemplateValue value_at_path(const TemplateValue& value, const TemplateItems& path,
                            TemplateBudget& budget) {
  TemplateValue at = value;
  for (const TemplateValue& part : path) at = item_of(at, part, budget);
  return at;
}

bool has_selecting_filter(std::string_view name) {
  static const std::set<std::string, std::less<>> names = {"map", "reject", "rejectattr", "select",
                                                           "selectattr"};
  return names.contains(name);
}

TemplateValue apply_selecting_filter(const std::string& name, const TemplateValue& value,
                                     const TemplateArguments& arguments, TemplateBudget& budget) {
  const int depth = depth_of_all(value, arguments);
  if (!is_true(value)) return iterator_value([] { return std::nullopt; }, depth);
  const TemplateValue::Iterator items = iterate(value, budget);
  if (name == "map") return iterator_value(mapped(items, arguments, budget), depth);
  const Choice choice = choice_of(name, arguments, budget);
  return iterator_value(selected(items, choice, name.starts_with("select")), depth);
}

}  // namespace lmtrain

// The filters that sort.
#include <algorithm>

#include "base/text.h"
#include "data/chat/template_filters.h"
#include "data/chat/template_methods.h"
#include "data/chat/template_operators.h"
#include "data/chat/template_text.h"

namespace lmtrain {
namespace {

struct Sortable {
  TemplateValue key, value;
};

// Sorts by the keys; texts are compared without their case unless it counts.
TemplateValue sorted(std::vector<Sortable> items, bool is_case_sensitive, bool is_reversed,
                     TemplateBudget& budget) {
  for (Sortable& item : items) {
    const std::string* text = item.key.text();
    if (text == nullptr || is_case_sensitive) continue;
    budget.spend(text->size());
    item.key = text_value(lower_text(*text));
  }
  std::stable_sort(items.begin(), items.end(), [&](const Sortable& left, const Sortable& right) {
    return is_reversed ? less(right.key, left.key, budget) : less(left.key, right.key, budget);
  });
  TemplateItems values;
  for (const Sortable& item : items) values.push_back(item.value);
  return list_value(std::move(values));
}

}  // namespace

TemplateValue sorted_items(const TemplateValue& value, const TemplateArguments& arguments,
                           TemplateBudget& budget) {
  const BoundArguments bound("the filter 'sort'", arguments,
                             {"reverse", "case_sensitive", "attribute"}, 0);
  const TemplateItems path =
      bound.find(2) != nullptr ? path_of(bound.at(2), budget) : TemplateItems();
  if (bound.find(2) != nullptr && bound.at(2).text() != nullptr &&
      bound.at(2).text()->find(',') != std::string::npos) {
    throw TemplateFault("sorting by several attributes is not covered");
  }
  std::vector<Sortable> items;
  for (const TemplateValue& item : items_of(value, budget)) {
    items.push_back({value_at_path(item, path, budget), item});
  }
  return sorted(std::move(items), bound.is_true(1), bound.is_true(0), budget);
}

TemplateValue sorted_pairs(const TemplateValue& value, const TemplateArguments& arguments,
                           TemplateBudget& budget) {
  const BoundArguments bound("the filter 'dictsort'", arguments,
                             {"case_sensitive", "by", "reverse"}, 0);
  const std::string by = bound.find(1) != nullptr ? bound.text(1) : "key";
  if (by != "key" && by != "value") throw TemplateFault("dictsort sorts by 'key' or by 'value'");
  require_defined(value);
  const auto* dict = value.as<TemplateValue::Dict>();
  if (dict == nullptr) throw TemplateFault("the filter 'dictsort' takes a dict only");
  std::vector<Sortable> items;
  for (const TemplateValue& pair : pairs_of(**dict, budget)) {
    const TemplateItems& parts = (*pair.as<TemplateValue::Sequence>())->items;
    items.push_back({parts[by == "key" ? 0 : 1], pair});
  }
  return sorted(std::move(items), bound.is_true(0), bound.is_true(2), budget);
}

}  // namespace lmtrain

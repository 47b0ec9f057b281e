#include "data/chat/template_methods.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "base/utf8.h"
#include "data/chat/template_text.h"

namespace lmtrain {
namespace {

// A call of a method of a text.
struct TextCall {
  const std::string& text;
  std::string what;  // for messages
  const TemplateArguments& arguments;
  TemplateBudget& budget;

  BoundArguments bound(const std::vector<std::string>& names, size_t num_required) const {
    return {what, arguments, names, num_required};
  }
};

TemplateValue list_of_texts(std::vector<std::string> texts) {
  TemplateItems items;
  for (std::string& text : texts) items.push_back(text_value(std::move(text)));
  return list_value(std::move(items));
}

template <StripSide side>
TemplateValue strip(const TextCall& call) {
  const BoundArguments arguments = call.bound({"chars"}, 0);
  const std::optional<std::string> characters = arguments.optional_text(0);
  if (characters) call.budget.spend(call.text.size() * (characters->size() / 64));
  return text_value(stripped(call.text, side, characters));
}

TemplateValue split(const TextCall& call) {
  const BoundArguments arguments = call.bound({"sep", "maxsplit"}, 0);
  const int64_t limit = arguments.integer(1, -1);
  const std::optional<std::string> separator = arguments.optional_text(0);
  if (!separator) return list_of_texts(split_at_space(call.text, limit, call.budget));
  if (separator->empty()) throw TemplateFault("split() needs a separator that is not empty");
  return list_of_texts(split_at(call.text, *separator, limit, call.budget));
}

TemplateValue split_from_right(const TextCall& call) {
  const BoundArguments arguments = call.bound({"sep", "maxsplit"}, 0);
  const std::optional<std::string> separator = arguments.optional_text(0);
  if (!separator) throw TemplateFault("rsplit() without a separator is not covered");
  if (separator->empty()) throw TemplateFault("rsplit() needs a separator that is not empty");
  return list_of_texts(
      split_at_from_right(call.text, *separator, arguments.integer(1, -1), call.budget));
}

TemplateValue split_into_lines(const TextCall& call) {
  return list_of_texts(split_lines(call.text, call.bound({"keepends"}, 0).is_true(0), call.budget));
}

template <bool at_start>
TemplateValue has_affix(const TextCall& call) {
  if (call.arguments.positional.size() > 1) {
    throw TemplateFault(cat(call.what, " with a position is not covered"));
  }
  const BoundArguments arguments = call.bound({"affix"}, 1);
  const auto matches = [&](const std::string& affix) {
    return at_start ? call.text.starts_with(affix) : call.text.ends_with(affix);
  };
  const auto* tuple = arguments.at(0).as<TemplateValue::Sequence>();
  if (tuple == nullptr || (*tuple)->kind != SequenceKind::kTuple) {
    return {matches(arguments.text(0))};
  }
  for (const TemplateValue& affix : (*tuple)->items) {
    if (affix.text() == nullptr) throw TemplateFault(cat(call.what, " takes a tuple of texts"));
    if (matches(*affix.text())) return {true};
  }
  return {false};
}

template <bool at_start>
TemplateValue remove_affix(const TextCall& call) {
  const BoundArguments arguments = call.bound({"affix"}, 1);
  const std::string& affix = arguments.text(0);
  const bool matches = at_start ? call.text.starts_with(affix) : call.text.ends_with(affix);
  if (!matches) return text_value(call.text);
  return text_value(at_start ? call.text.substr(affix.size())
                             : call.text.substr(0, call.text.size() - affix.size()));
}

template <std::string (*change)(std::string_view)>
TemplateValue change_case(const TextCall& call) {
  call.bound({}, 0);
  return text_value(change(call.text));
}

TemplateValue replace(const TextCall& call) {
  const BoundArguments arguments = call.bound({"old", "new", "count"}, 2);
  if (!call.arguments.keywords.empty()) throw TemplateFault("replace() takes no keywords");
  return replaced_text(call.text, arguments.text(0), arguments.text(1), arguments.integer(2, -1),
                       call.budget);
}

template <bool from_right>
TemplateValue find(const TextCall& call) {
  const BoundArguments arguments = call.bound({"sub"}, 1);
  const std::string& part = arguments.text(0);
  size_t at = std::string::npos;
  if (!from_right) {
    at = find_text(call.text, part, 0);
  } else {
    const std::string text(call.text.rbegin(), call.text.rend());
    at = find_text(text, std::string(part.rbegin(), part.rend()), 0);
    if (at != std::string::npos) at = text.size() - at - part.size();
  }
  if (at == std::string::npos) return {int64_t{-1}};
  return {num_characters(call.text.substr(0, at))};
}

TemplateValue count(const TextCall& call) {
  const BoundArguments arguments = call.bound({"sub"}, 1);
  return {static_cast<int64_t>(num_replaced(call.text, arguments.text(0), -1))};
}

TemplateValue join_items(const TextCall& call) {
  const BoundArguments arguments = call.bound({"iterable"}, 1);
  std::string joined;
  bool is_first = true;
  for (const TemplateValue& item : items_of(arguments.at(0), call.budget)) {
    if (item.text() == nullptr) throw TemplateFault("join() takes texts only");
    call.budget.spend(call.text.size() + item.text()->size());
    if (!is_first) joined += call.text;
    is_first = false;
    joined += *item.text();
  }
  return text_value(std::move(joined));
}

using TextMethod = TemplateValue (*)(const TextCall&);

const std::map<std::string, TextMethod, std::less<>>& text_methods() {
  static const std::map<std::string, TextMethod, std::less<>> methods = {
      {"capitalize", change_case<capitalized_text>},
      {"count", count},
      {"endswith", has_affix<false>},
      {"find", find<false>},
      {"join", join_items},
      {"lower", change_case<lower_text>},
      {"lstrip", strip<StripSide::kLeft>},
      {"removeprefix", remove_affix<true>},
      {"removesuffix", remove_affix<false>},
      {"replace", replace},
      {"rfind", find<true>},
      {"rsplit", split_from_right},
      {"rstrip", strip<StripSide::kRight>},
      {"split", split},
      {"splitlines", split_into_lines},
      {"startswith", has_affix<true>},
      {"strip", strip<StripSide::kBoth>},
      {"title", change_case<title_text>},
      {"upper", change_case<upper_text>},
  };
  return methods;
}

TemplateValue call_dict_method(const TemplateDict& dict, const std::string& name,
                               const TemplateArguments& arguments, TemplateBudget& budget) {
  if (name == "get") {
    if (!arguments.keywords.empty()) throw TemplateFault("get() takes no keywords");
    const BoundArguments bound("get()", arguments, {"key", "default"}, 1);
    const TemplateValue* found = dict.find(bound.at(0), budget);
    if (found != nullptr) return *found;
    return bound.find(1) != nullptr ? bound.at(1) : TemplateValue();
  }
  const BoundArguments bound(cat(name, "()"), arguments, {}, 0);
  TemplateItems pairs = pairs_of(dict, budget);
  if (name == "items") return sequence_value(SequenceKind::kItems, std::move(pairs));
  const bool is_keys = name == "keys";
  TemplateItems items;
  for (const auto& [key, value] : dict.entries) items.push_back(is_keys ? key : value);
  return sequence_value(is_keys ? SequenceKind::kKeys : SequenceKind::kValues, std::move(items));
}

}  // namespace

TemplateItems pairs_of(const TemplateDict& dict, TemplateBudget& budget) {
  TemplateItems pairs;
  for (const auto& [key, value] : dict.entries) {
    budget.step();
    pairs.push_back(sequence_value(SequenceKind::kTuple, {key, value}));
  }
  return pairs;
}

TemplateValue replaced_text(const std::string& text, const std::string& old_text,
                            const std::string& new_text, int64_t limit, TemplateBudget& budget) {
  budget.spend(text.size());
  budget.spend(num_replaced(text, old_text, limit) * new_text.size());
  return text_value(replaced(text, old_text, new_text, limit));
}

TemplateValue call_method(const TemplateValue& owner, const std::string& name,
                          const TemplateArguments& arguments, TemplateBudget& budget) {
  if (const auto* dict = owner.as<TemplateValue::Dict>()) {
    return call_dict_method(**dict, name, arguments, budget);
  }
  budget.spend(owner.text()->size());
  return text_methods().at(name)({*owner.text(), name + "()", arguments, budget});
}

}  // namespace lmtrain

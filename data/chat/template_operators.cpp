#include "data/chat/template_operators.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "data/chat/template_text.h"

namespace lmtrain {
namespace {

using Integers = std::pair<int64_t, int64_t>;

[[noreturn]] void fail_of_types(const std::string& name, const TemplateValue& left,
                                const TemplateValue& right) {
  require_defined(left);
  require_defined(right);
  throw TemplateFault(cat("the operator ", name, " does not take values of types '",
                          type_name(left), "' and '", type_name(right), "'"));
}

[[noreturn]] void fail_of_size() { throw TemplateFault("an integer has more than 64 bits"); }

TemplateValue integer_product(int64_t left, int64_t right) {
  int64_t result = 0;
  if (__builtin_mul_overflow(left, right, &result)) fail_of_size();
  return {result};
}

TemplateValue calculate_integers(const std::string& name, int64_t left, int64_t right) {
  int64_t result = 0;
  if (name == "*") return integer_product(left, right);
  if (name == "+" || name == "-") {
    const bool overflows = name == "+" ? __builtin_add_overflow(left, right, &result)
                                       : __builtin_sub_overflow(left, right, &result);
    if (overflows) fail_of_size();
    return {result};
  }
  if (right == 0) throw TemplateFault("division by zero");
  if (name == "/") return {static_cast<double>(left) / static_cast<double>(right)};
  if (right == -1) {
    return name == "%" ? TemplateValue{int64_t{0}} : calculate_integers("-", 0, left);
  }
  // Python rounds down, and the remainder has the divisor's sign.
  const bool is_below = left % right != 0 && (left % right < 0) != (right < 0);
  if (name == "%") return {left % right + (is_below ? right : 0)};
  return {left / right - (is_below ? 1 : 0)};
}

TemplateValue calculate_floats(const std::string& name, double left, double right) {
  if (name == "+") return {left + right};
  if (name == "-") return {left - right};
  if (name == "*") return {left * right};
  if (right == 0) throw TemplateFault("division by zero");
  if (name == "/") return {left / right};
  double remainder = std::fmod(left, right);
  double quotient = (left - remainder) / right;
  if (remainder == 0) {
    remainder = std::copysign(0.0, right);
  } else if ((right < 0) != (remainder < 0)) {
    remainder += right;
    quotient -= 1;
  }
  if (name == "%") return {remainder};
  if (quotient == 0) return {std::copysign(0.0, left / right)};
  const double floor = std::floor(quotient);
  return {quotient - floor > 0.5 ? floor + 1 : floor};
}

bool can_be_joined(const TemplateValue& value) {
  const auto* sequence = value.as<TemplateValue::Sequence>();
  return sequence != nullptr && (*sequence)->kind <= SequenceKind::kTuple;
}

TemplateValue joined(const TemplateValue& left, const TemplateValue& right,
                     TemplateBudget& budget) {
  if (left.text() != nullptr && right.text() != nullptr) {
    budget.spend(left.text()->size() + right.text()->size());
    return text_value(*left.text() + *right.text());
  }
  if (!can_be_joined(left) || !can_be_joined(right)) fail_of_types("+", left, right);
  const TemplateSequence& first = **left.as<TemplateValue::Sequence>();
  const TemplateSequence& second = **right.as<TemplateValue::Sequence>();
  if (first.kind != second.kind) fail_of_types("+", left, right);
  budget.spend((first.items.size() + second.items.size()) * TemplateBudget::kStep);
  TemplateItems items = first.items;
  items.insert(items.end(), second.items.begin(), second.items.end());
  return sequence_value(first.kind, std::move(items));
}

TemplateValue repeated(const TemplateValue& value, int64_t times, TemplateBudget& budget) {
  const auto count = static_cast<size_t>(std::max<int64_t>(times, 0));
  // The count itself is paid first, so that the products below never wrap.
  constexpr size_t kMany = size_t{1} << 30;
  budget.spend(std::min(count, kMany));
  if (const std::string* text = value.text()) {
    budget.spend(text->size() * count);
    std::string result;
    for (size_t i = 0; i < count; ++i) result += *text;
    return text_value(std::move(result));
  }
  const TemplateSequence& sequence = **value.as<TemplateValue::Sequence>();
  budget.spend(sequence.items.size() * count * TemplateBudget::kStep);
  TemplateItems items;
  for (size_t i = 0; i < count; ++i) {
    items.insert(items.end(), sequence.items.begin(), sequence.items.end());
  }
  return sequence_value(sequence.kind, std::move(items));
}

bool can_be_repeated(const TemplateValue& value) {
  return value.text() != nullptr || can_be_joined(value);
}

bool equal_items(const TemplateItems& left, const TemplateItems& right, TemplateBudget& budget) {
  return left.size() == right.size() &&
         std::equal(left.begin(), left.end(), right.begin(),
                    [&](const auto& a, const auto& b) { return equal(a, b, budget); });
}

bool equal_dicts(const TemplateDict& left, const TemplateDict& right, TemplateBudget& budget) {
  if (left.entries.size() != right.entries.size()) return false;
  return std::all_of(left.entries.begin(), left.entries.end(), [&](const auto& entry) {
    const TemplateValue* other = right.find(entry.first, budget);
    return other != nullptr && equal(entry.second, *other, budget);
  });
}

bool equal_sequences(const TemplateSequence& left, const TemplateSequence& right,
                     TemplateBudget& budget) {
  if (left.kind > SequenceKind::kRange && right.kind > SequenceKind::kRange) {
    throw TemplateFault("comparing keys(), values() or items() of dicts is not covered");
  }
  return left.kind == right.kind && equal_items(left.items, right.items, budget);
}

// Compares integers exactly, and an integer with a float without rounding it.
int order_of_numbers(const TemplateValue& left, const TemplateValue& right) {
  const auto wide = [](const TemplateValue& value) {
    const std::optional<int64_t> integer = as_integer(value);
    return integer ? static_cast<long double>(*integer)
                   : static_cast<long double>(*value.as<double>());
  };
  const long double a = wide(left);
  const long double b = wide(right);
  return a < b ? -1 : a > b ? 1 : a == b ? 0 : 2;  // 2: one is not a number
}

bool less_items(const TemplateItems& left, const TemplateItems& right, TemplateBudget& budget) {
  const size_t size = std::min(left.size(), right.size());
  for (size_t i = 0; i < size; ++i) {
    if (!equal(left[i], right[i], budget)) return less(left[i], right[i], budget);
  }
  return left.size() < right.size();
}

}  // namespace

TemplateValue calculate(const std::string& name, const TemplateValue& left,
                        const TemplateValue& right, TemplateBudget& budget) {
  require_not_safe(left);
  require_not_safe(right);
  const std::optional<int64_t> first = as_integer(left);
  const std::optional<int64_t> second = as_integer(right);
  if (first && second) return calculate_integers(name, *first, *second);
  const std::optional<double> first_number = as_number(left);
  const std::optional<double> second_number = as_number(right);
  if (first_number && second_number) return calculate_floats(name, *first_number, *second_number);
  if (name == "+") return joined(left, right, budget);
  if (name == "*" && can_be_repeated(left) && second) return repeated(left, *second, budget);
  if (name == "*" && can_be_repeated(right) && first) return repeated(right, *first, budget);
  if (name == "%" && left.text() != nullptr) {
    throw TemplateFault("formatting a text with % is not covered");
  }
  fail_of_types(name, left, right);
}

TemplateValue negated(const TemplateValue& value) {
  if (const double* number = value.as<double>()) return {-*number};
  const std::optional<int64_t> integer = as_integer(value);
  if (!integer) fail_of_types("-", value, value);
  return calculate_integers("-", 0, *integer);
}

TemplateValue as_is(const TemplateValue& value) {
  if (value.is<double>()) return value;
  const std::optional<int64_t> integer = as_integer(value);
  if (!integer) fail_of_types("+", value, value);
  return {*integer};
}

bool equal(const TemplateValue& left, const TemplateValue& right, TemplateBudget& budget) {
  budget.step();
  if (as_number(left) && as_number(right)) return order_of_numbers(left, right) == 0;
  if (left.held.index() != right.held.index()) return false;
  if (const std::string* text = left.text()) {
    budget.spend(std::min(text->size(), right.text()->size()));
    return *text == *right.text();
  }
  if (const auto* sequence = left.as<TemplateValue::Sequence>()) {
    const auto* other = right.as<TemplateValue::Sequence>();
    return *sequence == *other || equal_sequences(**sequence, **other, budget);
  }
  if (const auto* dict = left.as<TemplateValue::Dict>()) {
    const auto* other = right.as<TemplateValue::Dict>();
    return *dict == *other || equal_dicts(**dict, **other, budget);
  }
  if (const auto* name_space = left.as<TemplateValue::Namespace>()) {
    return *name_space == *right.as<TemplateValue::Namespace>();
  }
  if (left.is<TemplateValue::Callable>() || left.is<TemplateValue::Iterator>() ||
      left.is<TemplateValue::Loop>()) {
    throw TemplateFault(cat("comparing values of type '", type_name(left), "' is not covered"));
  }
  return true;  // none and undefined
}

bool less(const TemplateValue& left, const TemplateValue& right, TemplateBudget& budget) {
  budget.step();
  if (as_number(left) && as_number(right)) return order_of_numbers(left, right) == -1;
  if (left.text() != nullptr && right.text() != nullptr) {
    budget.spend(std::min(left.text()->size(), right.text()->size()));
    return *left.text() < *right.text();  // UTF-8 sorts as its code points
  }
  if (!can_be_joined(left) || !can_be_joined(right)) fail_of_types("<", left, right);
  const TemplateSequence& first = **left.as<TemplateValue::Sequence>();
  const TemplateSequence& second = **right.as<TemplateValue::Sequence>();
  if (first.kind != second.kind) fail_of_types("<", left, right);
  return less_items(first.items, second.items, budget);
}

bool contains(const TemplateValue& container, const TemplateValue& value, TemplateBudget& budget) {
  if (const std::string* text = container.text()) {
    if (value.text() == nullptr) fail_of_types("in", value, container);
    budget.spend(text->size());
    return find_text(*text, *value.text(), 0) != std::string::npos;
  }
  if (const auto* dict = container.as<TemplateValue::Dict>()) {
    return (*dict)->find(value, budget) != nullptr;
  }
  const TemplateValue::Iterator items = iterate(container, budget);
  while (const std::optional<TemplateValue> item = items->next()) {
    if (equal(*item, value, budget)) return true;
  }
  return false;
}

bool compare(const std::string& name, const TemplateValue& left, const TemplateValue& right,
             TemplateBudget& budget) {
  if (name == "==") return equal(left, right, budget);
  if (name == "!=") return !equal(left, right, budget);
  if (name == "in") return contains(right, left, budget);
  if (name == "not in") return !contains(right, left, budget);
  if (name == "<") return less(left, right, budget);
  if (name == ">") return less(right, left, budget);
  const bool is_not_more = name == "<=";
  const TemplateValue& smaller = is_not_more ? left : right;
  const TemplateValue& larger = is_not_more ? right : left;
  return less(smaller, larger, budget) || equal(smaller, larger, budget);
}

}  // namespace lmtrain

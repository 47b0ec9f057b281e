#include <map>

#include "base/text.h"
#include "data/chat/template_filters.h"
#include "data/chat/template_operators.h"

namespace lmtrain {
namespace {

// A use of a test.
struct TestCall {
  std::string name;
  const TemplateValue& value;
  const TemplateArguments& arguments;
  TemplateBudget& budget;

  // The only argument.
  TemplateValue other() const { return BoundArguments(name, arguments, {"other"}, 1).at(0); }
  void nothing_more() const { BoundArguments(name, arguments, {}, 0); }
};

template <class Held>
bool holds(const TestCall& call) {
  call.nothing_more();
  return call.value.is<Held>();
}

bool is_defined(const TestCall& call) { return !holds<TemplateValue::Undefined>(call); }

template <bool expected>
bool is_boolean(const TestCall& call) {
  call.nothing_more();
  const bool* boolean = call.value.as<bool>();
  return boolean != nullptr && *boolean == expected;
}

// Python can also call undefined, which fails, and the variable `loop`.
bool is_callable(const TestCall& call) {
  call.nothing_more();
  return call.value.is<TemplateValue::Callable>() || call.value.is<TemplateValue::Undefined>() ||
         call.value.is<TemplateValue::Loop>();
}

bool is_number(const TestCall& call) {
  call.nothing_more();
  return as_number(call.value).has_value();
}

bool is_iterable(const TestCall& call) {
  call.nothing_more();
  const TemplateValue& value = call.value;
  return value.text() != nullptr || value.is<TemplateValue::Sequence>() ||
         value.is<TemplateValue::Dict>() || value.is<TemplateValue::Iterator>() ||
         value.is<TemplateValue::Undefined>() || value.is<TemplateValue::Loop>();
}

bool is_sequence(const TestCall& call) {
  call.nothing_more();
  const TemplateValue& value = call.value;
  const auto* sequence = value.as<TemplateValue::Sequence>();
  if (sequence != nullptr) return (*sequence)->kind <= SequenceKind::kRange;
  return value.text() != nullptr || value.is<TemplateValue::Dict>() ||
         value.is<TemplateValue::Undefined>();
}

bool has_remainder(const TestCall& call, const TemplateValue& divisor, int64_t expected) {
  const TemplateValue remainder = calculate("%", call.value, divisor, call.budget);
  return equal(remainder, {expected}, call.budget);
}

bool is_odd(const TestCall& call) {
  call.nothing_more();
  return has_remainder(call, {int64_t{2}}, 1);
}

bool is_even(const TestCall& call) {
  call.nothing_more();
  return has_remainder(call, {int64_t{2}}, 0);
}

bool is_divisible(const TestCall& call) {
  const BoundArguments arguments(call.name, call.arguments, {"num"}, 1);
  return has_remainder(call, arguments.at(0), 0);
}

// Whether both are one object of Python, which is certain for None and booleans only.
bool is_same(const TestCall& call) {
  const TemplateValue other = call.other();
  const bool is_one_type = call.value.held.index() == other.held.index();
  if (!is_one_type || other.is<TemplateValue::None>()) return is_one_type;
  if (!other.is<bool>()) throw TemplateFault(cat(call.name, " takes booleans and none only"));
  return *call.value.as<bool>() == *other.as<bool>();
}

bool is_in(const TestCall& call) {
  const BoundArguments arguments(call.name, call.arguments, {"seq"}, 1);
  return contains(arguments.at(0), call.value, call.budget);
}

// The names are those of operators that compare().
template <char first, char second = '\0'>
bool compares(const TestCall& call) {
  const char name[] = {first, second, '\0'};
  return compare(name, call.value, call.other(), call.budget);
}

using Test = bool (*)(const TestCall&);

const std::map<std::string, Test, std::less<>>& tests() {
  static const std::map<std::string, Test, std::less<>> all = {
      {"boolean", holds<bool>},
      {"callable", is_callable},
      {"defined", is_defined},
      {"divisibleby", is_divisible},
      {"eq", compares<'=', '='>},
      {"equalto", compares<'=', '='>},
      {"==", compares<'=', '='>},
      {"even", is_even},
      {"false", is_boolean<false>},
      {"float", holds<double>},
      {"ge", compares<'>', '='>},
      {">=", compares<'>', '='>},
      {"greaterthan", compares<'>'>},
      {"gt", compares<'>'>},
      {">", compares<'>'>},
      {"in", is_in},
      {"integer", holds<int64_t>},
      {"iterable", is_iterable},
      {"le", compares<'<', '='>},
      {"<=", compares<'<', '='>},
      {"lessthan", compares<'<'>},
      {"lt", compares<'<'>},
      {"<", compares<'<'>},
      {"mapping", holds<TemplateValue::Dict>},
      {"ne", compares<'!', '='>},
      {"!=", compares<'!', '='>},
      {"none", holds<TemplateValue::None>},
      {"number", is_number},
      {"odd", is_odd},
      {"sameas", is_same},
      {"sequence", is_sequence},
      {"string", holds<TemplateValue::Text>},
      {"true", is_boolean<true>},
      {"undefined", holds<TemplateValue::Undefined>},
  };
  return all;
}

}  // namespace

bool has_template_test(std::string_view name) { return tests().contains(name); }

bool apply_test(const std::string& name, const TemplateValue& value,
                const TemplateArguments& arguments, TemplateBudget& budget) {
  const auto found = tests().find(name);
  if (found == tests().end()) throw TemplateFault(cat("the test '", name, "' is not covered"));
  return found->second({"the test '" + name + "'", value, arguments, budget});
}

}  // namespace lmtrain

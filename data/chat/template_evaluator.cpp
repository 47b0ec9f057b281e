// The expressions of a template.
#include <set>

#include "base/text.h"
#include "data/chat/template_attributes.h"
#include "data/chat/template_filters.h"
#include "data/chat/template_methods.h"
#include "data/chat/template_operators.h"
#include "data/chat/template_print.h"
#include "data/chat/template_renderer.h"

namespace lmtrain {

TemplateValue TemplateRenderer::evaluate(const TemplateExpression& expression, const Scope& scope) {
  const DepthGuard guard(depth_);
  budget_.step();
  line_ = expression.line;
  return evaluate_by_kind(expression, scope);
}

TemplateValue TemplateRenderer::evaluate_by_kind(const TemplateExpression& expression,
                                                 const Scope& scope) {
  const auto part = [&](size_t place) { return evaluate(*expression.parts[place], scope); };
  switch (expression.kind) {
    case ExpressionKind::kConstant:
      return expression.constant;
    case ExpressionKind::kName:
      return lookup(expression.name, scope);
    case ExpressionKind::kList:
      return list_value(evaluate_parts(expression, 0, scope));
    case ExpressionKind::kTuple:
      return sequence_value(SequenceKind::kTuple, evaluate_parts(expression, 0, scope));
    case ExpressionKind::kDict:
      return evaluate_dict(expression, scope);
    case ExpressionKind::kAttribute:
      return attribute_of(part(0), expression.name, budget_);
    case ExpressionKind::kItem: {
      const TemplateValue value = part(0);
      return item_of(value, part(1), budget_);
    }
    case ExpressionKind::kSlice:
      return evaluate_slice(expression, scope);
    case ExpressionKind::kCall:
      return evaluate_call(expression, scope);
    case ExpressionKind::kFilter:
      return evaluate_filter(expression, nullptr, scope);
    case ExpressionKind::kTest: {
      const TemplateValue value = part(0);
      return {apply_test(expression.name, value, arguments_of(expression, scope), budget_)};
    }
    case ExpressionKind::kNegative:
      return negated(part(0));
    case ExpressionKind::kPositive:
      return as_is(part(0));
    case ExpressionKind::kNot:
      return {!is_true(part(0))};
    case ExpressionKind::kMath: {
      const TemplateValue left = part(0);
      return calculate(expression.name, left, part(1), budget_);
    }
    case ExpressionKind::kCompare:
      return evaluate_compare(expression, scope);
    case ExpressionKind::kJoin:
      return evaluate_join(expression, scope);
    case ExpressionKind::kAnd:
    case ExpressionKind::kOr: {
      TemplateValue left = part(0);
      const bool is_decided = is_true(left) == (expression.kind == ExpressionKind::kOr);
      return is_decided ? left : part(1);
    }
    case ExpressionKind::kChoice:
      return evaluate_choice(expression, scope);
  }
  return {};
}

TemplateItems TemplateRenderer::evaluate_parts(const TemplateExpression& expression, size_t first,
                                               const Scope& scope) {
  TemplateItems values;
  for (size_t i = first; i < expression.parts.size(); ++i) {
    values.push_back(evaluate(*expression.parts[i], scope));
  }
  return values;
}

TemplateArguments TemplateRenderer::arguments_of(const TemplateExpression& expression,
                                                 const Scope& scope) {
  TemplateArguments arguments{evaluate_parts(expression, 1, scope), {}};
  for (const auto& [name, value] : expression.keywords) {
    arguments.keywords.emplace_back(name, evaluate(*value, scope));
  }
  line_ = expression.line;
  return arguments;
}

TemplateValue TemplateRenderer::lookup(const std::string& name, const Scope& scope) {
  const auto undefined = [&] { return undefined_value(cat("'", name, "' is undefined")); };
  for (const Scope* at = &scope; at != nullptr; at = at->outer) {
    budget_.spend(1);
    const auto found = at->variables.find(name);
    if (found != at->variables.end()) return found->second;
    if (at->body != nullptr && at->body->hidden_names.contains(name)) return undefined();
  }
  const auto found = variables_.find(name);
  if (found != variables_.end()) return found->second;
  if (TemplateFunctions::has(name)) {
    return {
        std::make_shared<const TemplateCallable>(TemplateCallable{name, std::nullopt, nullptr})};
  }
  static const std::set<std::string> uncovered = {"cycler", "joiner", "lipsum", "self"};
  if (uncovered.contains(name)) throw TemplateFault(cat("'", name, "' of Jinja is not covered"));
  return undefined();
}

TemplateValue TemplateRenderer::evaluate_dict(const TemplateExpression& expression,
                                              const Scope& scope) {
  TemplateDict dict;
  for (size_t i = 0; i < expression.parts.size(); i += 2) {
    const TemplateValue key = evaluate(*expression.parts[i], scope);
    dict.set(key, evaluate(*expression.parts[i + 1], scope), budget_);
  }
  return dict_value(std::move(dict));
}

TemplateValue TemplateRenderer::evaluate_slice(const TemplateExpression& expression,
                                               const Scope& scope) {
  const TemplateValue value = evaluate(*expression.parts[0], scope);
  const auto bound = [&](size_t place) {
    const ExpressionPointer& part = expression.parts[place];
    return part ? evaluate(*part, scope) : TemplateValue();
  };
  const TemplateValue begin = bound(1);
  const TemplateValue end = bound(2);
  return slice_of(value, {begin, end, bound(3)}, budget_);
}

TemplateValue TemplateRenderer::evaluate_call(const TemplateExpression& expression,
                                              const Scope& scope) {
  const TemplateValue called = evaluate(*expression.parts[0], scope);
  const TemplateArguments arguments = arguments_of(expression, scope);
  require_defined(called);
  const auto* callable = called.as<TemplateValue::Callable>();
  if (callable == nullptr) {
    throw TemplateFault(cat("a value of type '", type_name(called), "' cannot be called"));
  }
  const TemplateCallable& function = **callable;
  if (function.macro != nullptr) return call_macro(*function.macro, arguments);
  if (!function.owner) return functions_.call(function.name, arguments);
  return call_method(*function.owner, function.name, arguments, budget_);
}

// `captured` is what the innermost filter of a block takes.
TemplateValue TemplateRenderer::evaluate_filter(const TemplateExpression& expression,
                                                const TemplateValue* captured, const Scope& scope) {
  const DepthGuard guard(depth_);
  TemplateValue value;
  if (!expression.parts[0]) {
    value = *captured;
  } else if (captured != nullptr) {
    value = evaluate_filter(*expression.parts[0], captured, scope);
  } else {
    value = evaluate(*expression.parts[0], scope);
  }
  return apply_filter(expression.name, value, arguments_of(expression, scope), budget_);
}

TemplateValue TemplateRenderer::evaluate_compare(const TemplateExpression& expression,
                                                 const Scope& scope) {
  TemplateValue left = evaluate(*expression.parts[0], scope);
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    TemplateValue right = evaluate(*expression.parts[i + 1], scope);
    line_ = expression.line;
    if (!compare(expression.operators[i], left, right, budget_)) return {false};
    left = std::move(right);
  }
  return {true};
}

TemplateValue TemplateRenderer::evaluate_join(const TemplateExpression& expression,
                                              const Scope& scope) {
  std::string joined;
  for (const TemplateValue& value : evaluate_parts(expression, 0, scope)) {
    joined += printed(value, budget_);
  }
  return text_value(std::move(joined));
}

TemplateValue TemplateRenderer::evaluate_choice(const TemplateExpression& expression,
                                                const Scope& scope) {
  if (is_true(evaluate(*expression.parts[0], scope))) {
    return evaluate(*expression.parts[1], scope);
  }
  if (expression.parts[2]) return evaluate(*expression.parts[2], scope);
  return undefined_value("a choice without 'else' gave nothing, because its condition is false");
}

}  // namespace lmtrain

#include "data/chat/template_renderer.h"

#include "base/text.h"
#include "data/chat/template_print.h"

namespace lmtrain {

RenderedChat TemplateRenderer::render(const TemplateBody& template_body) {
  Scope root{nullptr, &template_body, {}};
  root_ = &root;
  execute(template_body, root, rendered_.text);
  return std::move(rendered_);
}

TemplateRenderer::Flow TemplateRenderer::execute(const TemplateBody& body, Scope& scope,
                                                 std::string& output) {
  const DepthGuard guard(depth_);
  for (const auto& statement : body.statements) {
    budget_.step();
    line_ = statement->line;
    const Flow flow = execute(*statement, scope, output);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

TemplateRenderer::Flow TemplateRenderer::execute(const TemplateStatement& statement, Scope& scope,
                                                 std::string& output) {
  switch (statement.kind) {
    case StatementKind::kText:
      budget_.spend(statement.text.size());
      append(output, statement.text);
      break;
    case StatementKind::kOutput:
      append(output, printed(evaluate(*statement.value, scope), budget_));
      break;
    case StatementKind::kSet:
      assign(*statement.target, evaluate(*statement.value, scope), scope);
      break;
    case StatementKind::kMacro: {
      const TemplateCallable macro{statement.macro->name, std::nullopt, statement.macro.get()};
      scope.variables[macro.name] = {std::make_shared<const TemplateCallable>(macro)};
      break;
    }
    case StatementKind::kIf:
      return execute_if(statement, scope, output);
    case StatementKind::kFor:
      return execute_for(statement, scope, output);
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
    case StatementKind::kSetBlock:
    case StatementKind::kFilter:
    case StatementKind::kScope:
      return execute_captured(statement, scope, output);
  }
  return Flow::kNext;
}

TemplateRenderer::Flow TemplateRenderer::execute_if(const TemplateStatement& statement,
                                                    Scope& scope, std::string& output) {
  for (const TemplateBranch& branch : statement.branches) {
    if (!branch.condition || is_true(evaluate(*branch.condition, scope))) {
      return execute(branch.body, scope, output);
    }
  }
  return Flow::kNext;
}

// A block whose text is printed, set or filtered when all of it is there.
TemplateRenderer::Flow TemplateRenderer::execute_captured(const TemplateStatement& statement,
                                                          Scope& scope, std::string& output) {
  Scope inner{&scope, &statement.body, {}};
  std::string text;
  const Flow flow = execute(statement.body, inner, text);
  if (flow != Flow::kNext) return flow;  // what the block wrote until then is lost
  TemplateValue value = text_value(std::move(text));
  if (statement.value) {
    const TemplateValue captured = value;
    value = evaluate_filter(*statement.value, &captured, inner);
  }
  if (statement.kind == StatementKind::kSetBlock) {
    assign(*statement.target, value, scope);
  } else {
    const size_t begin = output.size();
    append(output, printed(value, budget_));
    // Of a block within one that is set or filtered it is not known where it comes to stand.
    if (statement.kind == StatementKind::kScope && &output == &rendered_.text)
      rendered_.generated.push_back({begin, output.size()});
  }
  return Flow::kNext;
}

// The items of a loop that pass its condition. The condition is asked when an item's turn comes,
// because it may depend on what the body did before.
TemplateValue::Iterator TemplateRenderer::loop_items(const TemplateStatement& statement,
                                                     const Scope& scope) {
  TemplateValue::Iterator all = iterate(evaluate(*statement.value, scope), budget_);
  if (!statement.condition) return all;
  const auto next = [this, &statement, &scope, all]() -> std::optional<TemplateValue> {
    while (std::optional<TemplateValue> item = all->next()) {
      Scope inner{&scope, nullptr, {}};
      assign(*statement.target, *item, inner);
      if (is_true(evaluate(*statement.condition, inner))) return item;
    }
    return std::nullopt;
  };
  return std::make_shared<TemplateIterator>(TemplateIterator{next, all->depth});
}

TemplateRenderer::Flow TemplateRenderer::execute_for(const TemplateStatement& statement,
                                                     Scope& scope, std::string& output) {
  const auto loop = std::make_shared<TemplateLoop>(loop_items(statement, scope));
  bool has_finished_one = false;
  while (loop->advance()) {
    Scope inner{&scope, &statement.body, {}};
    inner.variables["loop"] = {loop};
    assign(*statement.target, *loop->current, inner);
    const Flow flow = execute(statement.body, inner, output);
    if (flow == Flow::kBreak) break;
    has_finished_one |= flow == Flow::kNext;
  }
  // The template may have kept `loop`, but the scope that a condition needs is gone.
  loop->source = std::make_shared<TemplateIterator>(
      TemplateIterator{[] { return std::nullopt; }, loop->source->depth});
  // Jinja runs the else part unless one iteration ran to the end of the body.
  if (has_finished_one) return Flow::kNext;
  Scope inner{&scope, &statement.otherwise, {}};
  return execute(statement.otherwise, inner, output);
}

void TemplateRenderer::assign(const TemplateExpression& target, const TemplateValue& value,
                              Scope& scope) {
  if (target.kind == ExpressionKind::kName) {
    scope.variables[target.name] = value;
    return;
  }
  if (target.kind == ExpressionKind::kAttribute) {
    const TemplateValue owner = lookup(target.parts[0]->name, scope);
    const auto* name_space = owner.as<TemplateValue::Namespace>();
    if (name_space == nullptr) {
      throw TemplateFault(cat("'", target.parts[0]->name,
                              "' is no namespace, so that its attribute cannot be set"));
    }
    return set_attribute(**name_space, target.name, value);
  }
  require_defined(value);
  const TemplateItems items = items_of(value, budget_);
  if (items.size() != target.parts.size()) {
    throw TemplateFault(cat(target.parts.size(), " names are set from ", items.size(), " values"));
  }
  for (size_t i = 0; i < items.size(); ++i) assign(*target.parts[i], items[i], scope);
}

void TemplateRenderer::append(std::string& output, const std::string& text) {
  if (output.size() + text.size() > kMaxTemplateOutput) {
    throw TemplateFault(
        cat("the template writes more than ", human_bytes(int64_t{kMaxTemplateOutput})));
  }
  output += text;
}

TemplateValue TemplateRenderer::call_macro(const TemplateMacro& macro,
                                           const TemplateArguments& arguments) {
  constexpr size_t kStepsOfCall = 8;
  budget_.spend(kStepsOfCall * TemplateBudget::kStep);
  std::vector<std::string> names;
  for (const auto& parameter : macro.parameters) names.push_back(parameter.first);
  const BoundArguments bound(cat("the macro '", macro.name, "'"), arguments, names, 0);
  Scope scope{root_, &macro.body, {}};
  for (size_t i = 0; i < names.size(); ++i) {
    const TemplateValue* given = bound.find(i);
    scope.variables[names[i]] =
        given != nullptr ? *given
                         : undefined_value(cat("the parameter '", names[i], "' was not given"));
  }
  for (size_t i = 0; i < names.size(); ++i) {
    const ExpressionPointer& value = macro.parameters[i].second;
    if (bound.find(i) == nullptr && value) scope.variables[names[i]] = evaluate(*value, scope);
  }
  std::string text;
  execute(macro.body, scope, text);
  return text_value(std::move(text));
}

}  // namespace lmtrain

// Renders a parsed chat template.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>

#include "data/chat/chat_template.h"
#include "data/chat/template_arguments.h"
#include "data/chat/template_functions.h"
#include "data/chat/template_nodes.h"

namespace lmtrain {

using TemplateVariables = std::map<std::string, TemplateValue, std::less<>>;

// Renders once. TemplateFault leaves it where Jinja raises, where a limit is reached, and for what
// is not covered; line() is then the line of the template.
class TemplateRenderer {
 public:
  // `variables` are what the chat gives: messages and so on.
  explicit TemplateRenderer(TemplateVariables variables) : variables_(std::move(variables)) {}

  TemplateBudget& budget() { return budget_; }
  void set_variable(const std::string& name, TemplateValue value) {
    variables_[name] = std::move(value);
  }
  RenderedChat render(const TemplateBody& template_body);
  int line() const { return line_; }

 private:
  struct Scope {
    const Scope* outer;
    const TemplateBody* body;
    TemplateVariables variables;
  };
  // Where execution goes on after a statement.
  enum class Flow { kNext, kBreak, kContinue };
  class DepthGuard;

  // Statements (template_renderer.cpp).
  Flow execute(const TemplateBody& body, Scope& scope, std::string& output);
  Flow execute(const TemplateStatement& statement, Scope& scope, std::string& output);
  Flow execute_if(const TemplateStatement& statement, Scope& scope, std::string& output);
  Flow execute_for(const TemplateStatement& statement, Scope& scope, std::string& output);
  Flow execute_captured(const TemplateStatement& statement, Scope& scope, std::string& output);
  TemplateValue::Iterator loop_items(const TemplateStatement& statement, const Scope& scope);
  void assign(const TemplateExpression& target, const TemplateValue& value, Scope& scope);
  void append(std::string& output, const std::string& text);
  TemplateValue call_macro(const TemplateMacro& macro, const TemplateArguments& arguments);

  // Expressions (template_evaluator.cpp).
  TemplateValue evaluate(const TemplateExpression& expression, const Scope& scope);
  TemplateValue evaluate_by_kind(const TemplateExpression& expression, const Scope& scope);
  TemplateItems evaluate_parts(const TemplateExpression& expression, size_t first,
                               const Scope& scope);
  TemplateArguments arguments_of(const TemplateExpression& expression, const Scope& scope);
  TemplateValue lookup(const std::string& name, const Scope& scope);
  TemplateValue evaluate_dict(const TemplateExpression& expression, const Scope& scope);
  TemplateValue evaluate_slice(const TemplateExpression& expression, const Scope& scope);
  TemplateValue evaluate_call(const TemplateExpression& expression, const Scope& scope);
  TemplateValue evaluate_filter(const TemplateExpression& expression, const TemplateValue* captured,
                                const Scope& scope);
  TemplateValue evaluate_compare(const TemplateExpression& expression, const Scope& scope);
  TemplateValue evaluate_join(const TemplateExpression& expression, const Scope& scope);
  TemplateValue evaluate_choice(const TemplateExpression& expression, const Scope& scope);

  // The budget and the functions' namespaces outlive every value.
  TemplateBudget budget_;
  TemplateFunctions functions_{budget_};
  TemplateVariables variables_;
  Scope* root_ = nullptr;
  RenderedChat rendered_;
  int line_ = 1;
  int depth_ = 0;
};

// Counts the levels of what is being done while it lives.
class TemplateRenderer::DepthGuard {
 public:
  explicit DepthGuard(int& depth) : depth_(depth) {
    if (depth_ == kMaxRunDepth) throw TemplateFault("the template calls itself too deeply");
    ++depth_;
  }
  ~DepthGuard() { --depth_; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

 private:
  int& depth_;
};

}  // namespace lmtrain

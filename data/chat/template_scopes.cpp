#include "data/chat/template_scopes.h"

#include <set>
#include <string>

#include "base/text.h"

namespace lmtrain {
namespace {

using Names = std::set<std::string, std::less<>>;

// The names of one body that has variables of its own, or what a branch of an if in it adds.
class Scope {
 public:
  static Scope within(const Scope& outer, bool is_macro = false) {
    Scope scope;
    scope.outer_ = &outer;
    scope.is_in_macro_ = is_macro || outer.is_in_macro_;
    return scope;
  }
  Scope branch() const {
    Scope scope;
    scope.base_ = this;
    scope.outer_ = outer_;
    scope.is_in_macro_ = is_in_macro_;
    return scope;
  }

  void declare(const std::string& name) { known_.insert(name); }
  void read(const std::string& name, int line) {
    if (is_known(name)) return;
    if (is_in_macro_ && (name == "varargs" || name == "kwargs" || name == "caller")) {
      throw TemplateFault(cat("the variable '", name, "' of a macro is not covered"), line);
    }
    known_.insert(name);
  }
  void set(const std::string& name) {
    if (is_known_here(name)) return;
    if (outer_ == nullptr || !outer_->is_known(name)) hidden_.insert(name);
    known_.insert(name);
  }
  // Takes over what a branch did. A name that only some branches set is not hidden.
  void merge(const Scope& branch) { known_.insert(branch.known_.begin(), branch.known_.end()); }
  const Names& hidden() const { return hidden_; }

 private:
  bool is_known_here(const std::string& name) const {
    return known_.contains(name) || (base_ != nullptr && base_->is_known_here(name));
  }
  bool is_known(const std::string& name) const {
    return is_known_here(name) || (outer_ != nullptr && outer_->is_known(name));
  }

  const Scope* base_ = nullptr;  // of a branch: the scope that it belongs to
  const Scope* outer_ = nullptr;
  bool is_in_macro_ = false;
  Names known_, hidden_;
};

void read_names(const TemplateExpression* expression, Scope& scope) {
  if (expression == nullptr) return;
  if (expression->kind == ExpressionKind::kName) scope.read(expression->name, expression->line);
  for (const ExpressionPointer& part : expression->parts) read_names(part.get(), scope);
  for (const auto& keyword : expression->keywords) read_names(keyword.second.get(), scope);
}

void set_names(const TemplateExpression& target, Scope& scope, bool is_declared) {
  if (target.kind == ExpressionKind::kAttribute) return read_names(&target, scope);
  if (target.kind == ExpressionKind::kName) {
    return is_declared ? scope.declare(target.name) : scope.set(target.name);
  }
  for (const ExpressionPointer& part : target.parts) set_names(*part, scope, is_declared);
}

// Goes over the statements of the scope itself, and not over bodies with variables of their own.
void visit(const TemplateBody& body, Scope& scope);

// The first branch, those of elif together, and that of else know nothing of each other.
void visit_if(const TemplateStatement& statement, Scope& scope) {
  Scope first = scope.branch();
  Scope others = scope.branch();
  Scope otherwise = scope.branch();
  for (const TemplateBranch& branch : statement.branches) {
    const bool is_first = &branch == &statement.branches.front();
    Scope& condition_scope = is_first ? scope : others;
    read_names(branch.condition.get(), condition_scope);
    if (is_first || !branch.condition) {
      visit(branch.body, is_first ? first : otherwise);
    } else {
      Scope inner = others.branch();
      visit(branch.body, inner);
      others.merge(inner);
    }
  }
  scope.merge(first);
  scope.merge(others);
  scope.merge(otherwise);
}

void visit(const TemplateBody& body, Scope& scope) {
  for (const auto& statement : body.statements) {
    switch (statement->kind) {
      case StatementKind::kIf:
        visit_if(*statement, scope);
        break;
      case StatementKind::kMacro:
        scope.set(statement->macro->name);
        break;
      case StatementKind::kSet:
        read_names(statement->value.get(), scope);
        set_names(*statement->target, scope, false);
        break;
      case StatementKind::kSetBlock:
        set_names(*statement->target, scope, false);
        break;
      default:
        read_names(statement->value.get(), scope);
        break;
    }
  }
}

void fill(TemplateBody& body, Scope& scope);
void fill_inner(TemplateStatement& statement, const Scope& outer);

void fill_all_inner(TemplateBody& body, const Scope& scope) {
  for (const auto& statement : body.statements) fill_inner(*statement, scope);
}

void fill_macro(TemplateMacro& macro, const Scope& outer) {
  Scope scope = Scope::within(outer, true);
  for (const auto& parameter : macro.parameters) scope.declare(parameter.first);
  for (const auto& parameter : macro.parameters) read_names(parameter.second.get(), scope);
  fill(macro.body, scope);
}

void fill_inner(TemplateStatement& statement, const Scope& outer) {
  for (TemplateBranch& branch : statement.branches) fill_all_inner(branch.body, outer);
  if (statement.kind == StatementKind::kMacro) return fill_macro(*statement.macro, outer);
  Scope scope = Scope::within(outer);
  if (statement.kind == StatementKind::kFor) {
    scope.declare("loop");
    set_names(*statement.target, scope, true);
    Scope otherwise = Scope::within(outer);
    fill(statement.otherwise, otherwise);
  }
  fill(statement.body, scope);
}

void fill(TemplateBody& body, Scope& scope) {
  visit(body, scope);
  body.hidden_names = scope.hidden();
  fill_all_inner(body, scope);
}

}  // namespace

void find_hidden_names(TemplateBody& whole) {
  Scope scope;
  fill(whole, scope);
}

}  // namespace lmtrain

// Parses the expressions of a template, by the rules of precedence of Jinja.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "data/chat/template_cursor.h"
#include "data/chat/template_nodes.h"

namespace lmtrain {

// Every function throws TemplateFault with the line for what is no expression, or is not covered.
class ExpressionParser {
 public:
  // `levels` counts the nesting, together with that of the statements.
  ExpressionParser(TemplateCursor& cursor, int& levels) : cursor_(cursor), levels_(levels) {}

  // An expression, with "a if b else c" where `has_choice`.
  ExpressionPointer expression(bool has_choice = true);
  // The same, or several with commas between them, which are a tuple.
  ExpressionPointer expression_or_tuple(bool has_choice = true);
  // A target of an assignment: names, attributes of namespaces where `has_attributes`, tuples.
  ExpressionPointer target(bool has_attributes);
  // "| name(arguments)" behind a block, any number of them; null where there is none.
  ExpressionPointer filters_of_block();
  // "name(arguments)" after the tag of a filter block, and more filters behind it.
  ExpressionPointer filter_of_tag();

 private:
  ExpressionPointer choice();
  ExpressionPointer any_of();
  ExpressionPointer all_of();
  ExpressionPointer negation();
  ExpressionPointer comparison();
  ExpressionPointer sum();
  ExpressionPointer joined();
  ExpressionPointer product();
  ExpressionPointer unary(bool has_filters);
  ExpressionPointer primary();
  ExpressionPointer named();
  ExpressionPointer strings();
  ExpressionPointer number();
  ExpressionPointer list();
  ExpressionPointer dict();
  ExpressionPointer target_part(bool has_attributes);

  ExpressionPointer with_postfixes(ExpressionPointer value);
  ExpressionPointer with_filters(ExpressionPointer value);
  ExpressionPointer attribute(ExpressionPointer value);
  ExpressionPointer item(ExpressionPointer value);
  ExpressionPointer call(ExpressionPointer value);
  ExpressionPointer filter(ExpressionPointer value);
  ExpressionPointer named_filter(ExpressionPointer value);
  ExpressionPointer test(ExpressionPointer value);
  void add_arguments(TemplateExpression& call);
  void add_argument(TemplateExpression& call);
  std::string dotted_name();
  bool is_end_of_tuple() const;
  void require_assignable(const TemplateExpression& target) const;

  ExpressionPointer make(ExpressionKind kind, std::vector<ExpressionPointer> parts,
                         std::string name = "") const;
  ExpressionPointer finished(ExpressionPointer expression) const;

  TemplateCursor& cursor_;
  int& levels_;
};

}  // namespace lmtrain

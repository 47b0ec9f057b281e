#include "data/chat/template_expressions.h"

#include <algorithm>

#include "base/strict_json.h"
#include "base/text.h"
#include "data/chat/template_text.h"

namespace lmtrain {
namespace {

template <class... Parts>
std::vector<ExpressionPointer> parts_of(Parts... parts) {
  std::vector<ExpressionPointer> all;
  (all.push_back(std::move(parts)), ...);
  return all;
}

}  // namespace

ExpressionPointer ExpressionParser::make(ExpressionKind kind, std::vector<ExpressionPointer> parts,
                                         std::string name) const {
  auto expression = std::make_unique<TemplateExpression>();
  expression->kind = kind;
  expression->line = cursor_.here().line;
  expression->parts = std::move(parts);
  expression->name = std::move(name);
  return finished(std::move(expression));
}

ExpressionPointer ExpressionParser::finished(ExpressionPointer expression) const {
  int depth = 0;
  for (const ExpressionPointer& part : expression->parts) {
    if (part) depth = std::max(depth, part->depth);
  }
  for (const auto& keyword : expression->keywords) depth = std::max(depth, keyword.second->depth);
  expression->depth = depth + 1;
  if (depth >= kMaxExpressionDepth) {
    cursor_.fail(cat("an expression has more than ", kMaxExpressionDepth, " levels of operators"));
  }
  return expression;
}

ExpressionPointer ExpressionParser::expression(bool has_choice) {
  const NestingGuard guard(levels_, cursor_);
  return has_choice ? choice() : any_of();
}

ExpressionPointer ExpressionParser::choice() {
  ExpressionPointer value = any_of();
  while (cursor_.take_name("if")) {
    ExpressionPointer condition = any_of();
    ExpressionPointer otherwise = cursor_.take_name("else") ? expression() : nullptr;
    value = make(ExpressionKind::kChoice,
                 parts_of(std::move(condition), std::move(value), std::move(otherwise)));
  }
  return value;
}

ExpressionPointer ExpressionParser::any_of() {
  ExpressionPointer left = all_of();
  while (cursor_.take_name("or")) {
    ExpressionPointer right = all_of();
    left = make(ExpressionKind::kOr, parts_of(std::move(left), std::move(right)));
  }
  return left;
}

ExpressionPointer ExpressionParser::all_of() {
  ExpressionPointer left = negation();
  while (cursor_.take_name("and")) {
    ExpressionPointer right = negation();
    left = make(ExpressionKind::kAnd, parts_of(std::move(left), std::move(right)));
  }
  return left;
}

ExpressionPointer ExpressionParser::negation() {
  if (!cursor_.is_name("not")) return comparison();
  const NestingGuard guard(levels_, cursor_);
  cursor_.take();
  return make(ExpressionKind::kNot, parts_of(negation()));
}

ExpressionPointer ExpressionParser::comparison() {
  static constexpr std::string_view kOperators[] = {"==", "!=", "<", "<=", ">", ">="};
  std::vector<ExpressionPointer> parts = parts_of(sum());
  std::vector<std::string> operators;
  while (true) {
    const bool is_operator = std::any_of(std::begin(kOperators), std::end(kOperators),
                                         [&](auto name) { return cursor_.is_operator(name); });
    if (is_operator || cursor_.is_name("in")) {
      operators.push_back(cursor_.take().text);
    } else if (cursor_.is_name("not") && cursor_.is_name_ahead("in")) {
      cursor_.take();
      cursor_.take();
      operators.emplace_back("not in");
    } else {
      break;
    }
    parts.push_back(sum());
  }
  if (operators.empty()) return std::move(parts[0]);
  ExpressionPointer compared = make(ExpressionKind::kCompare, std::move(parts));
  compared->operators = std::move(operators);
  return compared;
}

ExpressionPointer ExpressionParser::sum() {
  ExpressionPointer left = joined();
  while (cursor_.is_operator("+") || cursor_.is_operator("-")) {
    const std::string name = cursor_.take().text;
    ExpressionPointer right = joined();
    left = make(ExpressionKind::kMath, parts_of(std::move(left), std::move(right)), name);
  }
  return left;
}

ExpressionPointer ExpressionParser::joined() {
  std::vector<ExpressionPointer> parts = parts_of(product());
  while (cursor_.take_operator("~")) parts.push_back(product());
  if (parts.size() == 1) return std::move(parts[0]);
  return make(ExpressionKind::kJoin, std::move(parts));
}

ExpressionPointer ExpressionParser::product() {
  ExpressionPointer left = unary(true);
  while (cursor_.is_operator("*") || cursor_.is_operator("/") || cursor_.is_operator("//") ||
         cursor_.is_operator("%")) {
    const std::string name = cursor_.take().text;
    ExpressionPointer right = unary(true);
    left = make(ExpressionKind::kMath, parts_of(std::move(left), std::move(right)), name);
  }
  if (cursor_.is_operator("**")) cursor_.fail("the operator ** is not covered");
  return left;
}

ExpressionPointer ExpressionParser::unary(bool has_filters) {
  const NestingGuard guard(levels_, cursor_);
  ExpressionPointer value;
  if (cursor_.is_operator("-") || cursor_.is_operator("+")) {
    const bool is_negative = cursor_.take().text == "-";
    value = make(is_negative ? ExpressionKind::kNegative : ExpressionKind::kPositive,
                 parts_of(unary(false)));
  } else {
    value = primary();
  }
  value = with_postfixes(std::move(value));
  return has_filters ? with_filters(std::move(value)) : std::move(value);
}

ExpressionPointer ExpressionParser::primary() {
  if (cursor_.is(TokenKind::kName)) return named();
  if (cursor_.is(TokenKind::kString)) return strings();
  if (cursor_.is(TokenKind::kInteger) || cursor_.is(TokenKind::kFloat)) return number();
  if (cursor_.is_operator("[")) return list();
  if (cursor_.is_operator("{")) return dict();
  if (!cursor_.take_operator("(")) cursor_.fail_unexpected("a value");
  ExpressionPointer value =
      cursor_.is_operator(")") ? make(ExpressionKind::kTuple, {}) : expression_or_tuple();
  cursor_.expect_operator(")");
  return value;
}

ExpressionPointer ExpressionParser::named() {
  const std::string name = cursor_.take().text;
  const bool is_true = name == "true" || name == "True";
  const bool is_none = name == "none" || name == "None";
  if (!is_true && !is_none && name != "false" && name != "False") {
    return make(ExpressionKind::kName, {}, name);
  }
  ExpressionPointer constant = make(ExpressionKind::kConstant, {}, name);
  if (!is_none) constant->constant = {is_true};
  return constant;
}

ExpressionPointer ExpressionParser::strings() {
  std::string text;
  while (cursor_.is(TokenKind::kString)) text += cursor_.take().text;
  ExpressionPointer constant = make(ExpressionKind::kConstant, {});
  constant->constant = text_value(std::move(text));
  return constant;
}

ExpressionPointer ExpressionParser::number() {
  ExpressionPointer constant = make(ExpressionKind::kConstant, {});
  try {
    if (cursor_.is(TokenKind::kInteger)) {
      constant->constant = {*read_integer(cursor_.here().text)};
    } else {
      constant->constant = {*read_float(cursor_.here().text)};
    }
  } catch (const TemplateFault& fault) {
    cursor_.fail(fault.what());
  }
  cursor_.take();
  return constant;
}

ExpressionPointer ExpressionParser::list() {
  cursor_.expect_operator("[");
  std::vector<ExpressionPointer> items;
  while (!cursor_.is_operator("]")) {
    items.push_back(expression());
    if (!cursor_.is_operator("]")) cursor_.expect_operator(",");
  }
  cursor_.take();
  return make(ExpressionKind::kList, std::move(items));
}

ExpressionPointer ExpressionParser::dict() {
  cursor_.expect_operator("{");
  std::vector<ExpressionPointer> entries;
  while (!cursor_.is_operator("}")) {
    entries.push_back(expression());
    cursor_.expect_operator(":");
    entries.push_back(expression());
    if (!cursor_.is_operator("}")) cursor_.expect_operator(",");
  }
  cursor_.take();
  return make(ExpressionKind::kDict, std::move(entries));
}

bool ExpressionParser::is_end_of_tuple() const {
  return cursor_.is(TokenKind::kOutputEnd) || cursor_.is(TokenKind::kBlockEnd) ||
         cursor_.is_operator(")");
}

ExpressionPointer ExpressionParser::expression_or_tuple(bool has_choice) {
  ExpressionPointer first = expression(has_choice);
  if (!cursor_.is_operator(",")) return first;
  std::vector<ExpressionPointer> parts = parts_of(std::move(first));
  while (cursor_.take_operator(",") && !is_end_of_tuple() && !cursor_.is_name("recursive")) {
    parts.push_back(expression(has_choice));
  }
  return make(ExpressionKind::kTuple, std::move(parts));
}

ExpressionPointer ExpressionParser::target(bool has_attributes) {
  ExpressionPointer first = target_part(has_attributes);
  if (!cursor_.is_operator(",")) return first;
  std::vector<ExpressionPointer> parts = parts_of(std::move(first));
  while (cursor_.take_operator(",") && !is_end_of_tuple() && !cursor_.is_name("in")) {
    parts.push_back(target_part(has_attributes));
  }
  return make(ExpressionKind::kTuple, std::move(parts));
}

ExpressionPointer ExpressionParser::target_part(bool has_attributes) {
  ExpressionPointer part = primary();
  if (has_attributes && part->kind == ExpressionKind::kName && cursor_.take_operator(".")) {
    part = make(ExpressionKind::kAttribute, parts_of(std::move(part)), cursor_.expect_any_name());
    return part;
  }
  require_assignable(*part);
  return part;
}

void ExpressionParser::require_assignable(const TemplateExpression& target) const {
  if (target.kind == ExpressionKind::kTuple) {
    for (const ExpressionPointer& part : target.parts) require_assignable(*part);
  } else if (target.kind != ExpressionKind::kName) {
    cursor_.fail("only a name, a tuple of names or an attribute of a namespace can be set");
  }
}

}  // namespace lmtrain

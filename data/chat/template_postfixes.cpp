// What may stand behind a value: attributes, items, calls, filters and tests.
#include <algorithm>

#include "base/strict_json.h"
#include "base/text.h"
#include "data/chat/template_expressions.h"
#include "data/chat/template_filters.h"
#include "data/chat/template_text.h"

namespace lmtrain {
namespace {

std::vector<ExpressionPointer> only(ExpressionPointer part) {
  std::vector<ExpressionPointer> parts;
  parts.push_back(std::move(part));
  return parts;
}

}  // namespace

ExpressionPointer ExpressionParser::with_postfixes(ExpressionPointer value) {
  while (true) {
    if (cursor_.is_operator(".")) {
      value = attribute(std::move(value));
    } else if (cursor_.is_operator("[")) {
      value = item(std::move(value));
    } else if (cursor_.is_operator("(")) {
      value = call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPointer ExpressionParser::with_filters(ExpressionPointer value) {
  while (true) {
    if (cursor_.is_operator("|")) {
      value = filter(std::move(value));
    } else if (cursor_.is_name("is")) {
      value = test(std::move(value));
    } else if (cursor_.is_operator("(")) {
      value = call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPointer ExpressionParser::attribute(ExpressionPointer value) {
  cursor_.expect_operator(".");
  if (cursor_.is(TokenKind::kName)) {
    return make(ExpressionKind::kAttribute, only(std::move(value)), cursor_.take().text);
  }
  if (!cursor_.is(TokenKind::kInteger)) cursor_.fail_unexpected("the name of an attribute");
  std::vector<ExpressionPointer> parts = only(std::move(value));
  parts.push_back(number());
  return make(ExpressionKind::kItem, std::move(parts));
}

ExpressionPointer ExpressionParser::item(ExpressionPointer value) {
  cursor_.expect_operator("[");
  std::vector<ExpressionPointer> parts = only(std::move(value));
  const auto add_bound = [&] {
    const bool is_absent = cursor_.is_operator(":") || cursor_.is_operator("]");
    parts.push_back(is_absent ? nullptr : expression());
  };
  if (cursor_.is_operator("]")) cursor_.fail_unexpected("an index");
  add_bound();
  const bool is_slice = cursor_.take_operator(":");
  if (is_slice) {
    add_bound();
    if (cursor_.take_operator(":")) {
      add_bound();
    } else {
      parts.push_back(nullptr);
    }
  }
  if (cursor_.is_operator(",")) cursor_.fail("an index of several parts is not covered");
  cursor_.expect_operator("]");
  return make(is_slice ? ExpressionKind::kSlice : ExpressionKind::kItem, std::move(parts));
}

void ExpressionParser::add_argument(TemplateExpression& call) {
  if (cursor_.is_operator("*") || cursor_.is_operator("**")) {
    cursor_.fail(cat("arguments with ", cursor_.here().text, " are not covered"));
  }
  const bool is_keyword = cursor_.is(TokenKind::kName) && cursor_.is_operator_ahead("=");
  if (!is_keyword) {
    if (!call.keywords.empty()) cursor_.fail("an argument without a name follows one with a name");
    call.parts.push_back(expression());
    return;
  }
  const std::string name = cursor_.take().text;
  cursor_.take();
  const bool is_twice = std::any_of(call.keywords.begin(), call.keywords.end(),
                                    [&](const auto& keyword) { return keyword.first == name; });
  if (is_twice) cursor_.fail(cat("the argument '", name, "' is given twice"));
  call.keywords.emplace_back(name, expression());
}

void ExpressionParser::add_arguments(TemplateExpression& call) {
  cursor_.expect_operator("(");
  while (!cursor_.is_operator(")")) {
    add_argument(call);
    if (!cursor_.is_operator(")")) cursor_.expect_operator(",");
  }
  cursor_.take();
}

ExpressionPointer ExpressionParser::call(ExpressionPointer value) {
  ExpressionPointer called = make(ExpressionKind::kCall, only(std::move(value)));
  add_arguments(*called);
  return finished(std::move(called));
}

std::string ExpressionParser::dotted_name() {
  std::string name = cursor_.expect_any_name();
  while (cursor_.take_operator(".")) name += "." + cursor_.expect_any_name();
  return name;
}

ExpressionPointer ExpressionParser::filter(ExpressionPointer value) {
  cursor_.expect_operator("|");
  return named_filter(std::move(value));
}

ExpressionPointer ExpressionParser::named_filter(ExpressionPointer value) {
  const int line = cursor_.here().line;
  const std::string name = dotted_name();
  if (!has_template_filter(name)) {
    throw TemplateFault(cat("the filter ", show_text(name), " is not covered"), line);
  }
  ExpressionPointer filtered = make(ExpressionKind::kFilter, only(std::move(value)), name);
  if (cursor_.is_operator("(")) add_arguments(*filtered);
  return finished(std::move(filtered));
}

ExpressionPointer ExpressionParser::filters_of_block() {
  ExpressionPointer value;
  while (cursor_.is_operator("|")) value = filter(std::move(value));
  return value;
}

ExpressionPointer ExpressionParser::filter_of_tag() {
  ExpressionPointer value = named_filter(nullptr);
  while (cursor_.is_operator("|")) value = filter(std::move(value));
  return value;
}

ExpressionPointer ExpressionParser::test(ExpressionPointer value) {
  cursor_.expect_name("is");
  const bool is_negated = cursor_.take_name("not");
  const int line = cursor_.here().line;
  const std::string name = dotted_name();
  if (!has_template_test(name)) {
    throw TemplateFault(cat("the test ", show_text(name), " is not covered"), line);
  }
  ExpressionPointer tested = make(ExpressionKind::kTest, only(std::move(value)), name);
  // An argument may stand without parentheses.
  const bool is_end = cursor_.is_name("else") || cursor_.is_name("or") || cursor_.is_name("and");
  const bool is_value = cursor_.is(TokenKind::kName) || cursor_.is(TokenKind::kString) ||
                        cursor_.is(TokenKind::kInteger) || cursor_.is(TokenKind::kFloat) ||
                        cursor_.is_operator("[") || cursor_.is_operator("{");
  if (cursor_.is_operator("(")) {
    add_arguments(*tested);
  } else if (is_value && !is_end) {
    if (cursor_.is_name("is")) cursor_.fail("tests cannot be chained");
    tested->parts.push_back(with_postfixes(primary()));
  }
  tested = finished(std::move(tested));
  return is_negated ? make(ExpressionKind::kNot, only(std::move(tested))) : std::move(tested);
}

}  // namespace lmtrain

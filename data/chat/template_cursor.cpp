#include "data/chat/template_cursor.h"

#include "base/strict_json.h"
#include "base/text.h"
#include "data/chat/template_budget.h"

namespace lmtrain {
namespace {

std::string shown(TokenKind kind, const std::string& text) {
  switch (kind) {
    case TokenKind::kText:
      return "text";
    case TokenKind::kOutputBegin:
      return "'{{'";
    case TokenKind::kOutputEnd:
      return "'}}'";
    case TokenKind::kBlockBegin:
      return "'{%'";
    case TokenKind::kBlockEnd:
      return "'%}'";
    case TokenKind::kName:
      return text.empty() ? "a name" : show_text(text);
    case TokenKind::kString:
      return cat("the string ", show_text(text));
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return cat("the number ", show_text(text));
    case TokenKind::kOperator:
      return show_text(text);
    case TokenKind::kEnd:
      return "the end of the template";
  }
  return "";
}

}  // namespace

const TemplateToken& TemplateCursor::take() {
  const TemplateToken& token = here();
  if (token.kind != TokenKind::kEnd) ++at_;
  return token;
}

bool TemplateCursor::take_name(std::string_view name) {
  const bool found = is_name(name);
  if (found) take();
  return found;
}

bool TemplateCursor::take_operator(std::string_view name) {
  const bool found = is_operator(name);
  if (found) take();
  return found;
}

void TemplateCursor::expect_operator(std::string_view name) {
  if (!take_operator(name)) fail_unexpected(cat("'", name, "'"));
}

void TemplateCursor::expect_name(std::string_view name) {
  if (!take_name(name)) fail_unexpected(cat("'", name, "'"));
}

void TemplateCursor::expect(TokenKind kind) {
  if (!is(kind)) fail_unexpected(shown(kind, ""));
  take();
}

std::string TemplateCursor::expect_any_name() {
  if (!is(TokenKind::kName)) fail_unexpected("a name");
  return take().text;
}

void TemplateCursor::fail(const std::string& problem) const {
  throw TemplateFault(problem, here().line);
}

void TemplateCursor::fail_unexpected(const std::string& expected) const {
  fail(cat(shown(here().kind, here().text), " is unexpected; expected ", expected));
}

NestingGuard::NestingGuard(int& levels, const TemplateCursor& cursor) : levels_(levels) {
  if (levels_ == kMaxTemplateNesting) {
    cursor.fail(cat("the template is nested deeper than ", kMaxTemplateNesting, " levels"));
  }
  ++levels_;
}

}  // namespace lmtrain

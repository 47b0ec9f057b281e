// A place in the tokens of a template, for the parsers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/chat/template_lexer.h"

namespace lmtrain {

class TemplateCursor {
 public:
  // `tokens` ends with kEnd.
  explicit TemplateCursor(std::vector<TemplateToken> tokens) : tokens_(std::move(tokens)) {}

  const TemplateToken& here() const { return tokens_[at_]; }
  const TemplateToken& ahead() const { return tokens_[at_ + (at_ + 1 < tokens_.size() ? 1 : 0)]; }
  // Returns the token and goes on; it stays at the end of the template.
  const TemplateToken& take();

  bool is(TokenKind kind) const { return here().kind == kind; }
  bool is_name(std::string_view name) const { return is_token(here(), TokenKind::kName, name); }
  bool is_operator(std::string_view name) const {
    return is_token(here(), TokenKind::kOperator, name);
  }
  bool is_name_ahead(std::string_view name) const {
    return is_token(ahead(), TokenKind::kName, name);
  }
  bool is_operator_ahead(std::string_view name) const {
    return is_token(ahead(), TokenKind::kOperator, name);
  }

  // Goes on where the token is there.
  bool take_name(std::string_view name);
  bool take_operator(std::string_view name);
  // Throw TemplateFault where another token is there.
  void expect_operator(std::string_view name);
  void expect_name(std::string_view name);
  void expect(TokenKind kind);
  std::string expect_any_name();

  [[noreturn]] void fail(const std::string& problem) const;
  [[noreturn]] void fail_unexpected(const std::string& expected) const;

 private:
  static bool is_token(const TemplateToken& token, TokenKind kind, std::string_view text) {
    return token.kind == kind && token.text == text;
  }

  std::vector<TemplateToken> tokens_;
  size_t at_ = 0;
};

// Counts levels of nesting while it lives.
class NestingGuard {
 public:
  // Throws TemplateFault where there are more levels than are allowed.
  NestingGuard(int& levels, const TemplateCursor& cursor);
  ~NestingGuard() { --levels_; }
  NestingGuard(const NestingGuard&) = delete;
  NestingGuard& operator=(const NestingGuard&) = delete;

 private:
  int& levels_;
};

}  // namespace lmtrain

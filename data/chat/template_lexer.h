// Cuts the source of a chat template into tokens, with the white space that Jinja removes gone:
// trim_blocks and lstrip_blocks are on, as transformers has them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lmtrain {

enum class TokenKind {
  kText,         // what is printed as it is
  kOutputBegin,  // {{
  kOutputEnd,
  kBlockBegin,  // {%
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,  // of the template; the last token
};

struct TemplateToken {
  TokenKind kind;
  std::string text;  // a string's is without quotes and escapes
  int line;          // counted from 1
};

// Throws TemplateFault with the line where the source has no tokens.
std::vector<TemplateToken> template_tokens(std::string_view source);

// The value of a string literal's inside, with Python's escapes.
std::string unescaped(std::string_view inside, int line);

}  // namespace lmtrain

// A chat template as it was parsed.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "data/chat/template_values.h"

namespace lmtrain {

struct TemplateExpression;
using ExpressionPointer = std::unique_ptr<TemplateExpression>;

enum class ExpressionKind {
  kConstant,   // constant
  kName,       // name
  kList,       // parts
  kTuple,      // parts
  kDict,       // parts: key, value, key, value ...
  kAttribute,  // parts[0].name
  kItem,       // parts[0][parts[1]]
  kSlice,      // parts[0][parts[1]:parts[2]:parts[3]], where a part may be null
  kCall,       // parts[0](parts[1] ..., keywords)
  kFilter,     // parts[0] | name(parts[1] ..., keywords); parts[0] is null for a block's text
  kTest,       // parts[0] is name(parts[1] ..., keywords)
  kNegative,   // -parts[0]
  kPositive,   // +parts[0]
  kNot,        // not parts[0]
  kMath,       // parts[0] name parts[1]
  kCompare,    // parts[0] operators[0] parts[1] operators[1] parts[2] ...
  kJoin,       // parts[0] ~ parts[1] ...
  kAnd,        // parts[0] and parts[1]
  kOr,         // parts[0] or parts[1]
  kChoice,     // parts[1] if parts[0] else parts[2], which may be null
};

struct TemplateExpression {
  ExpressionKind kind;
  int line;
  std::vector<ExpressionPointer> parts;
  std::string name;
  TemplateValue constant;
  std::vector<std::pair<std::string, ExpressionPointer>> keywords;
  std::vector<std::string> operators;
  int depth = 1;  // 1 more than that of its deepest part
};

struct TemplateStatement;

struct TemplateBody {
  std::vector<std::unique_ptr<TemplateStatement>> statements;
  // Where the body has variables of its own: names that are undefined in it until it sets them,
  // even where the chat has a variable of that name (template_scopes.h).
  std::set<std::string, std::less<>> hidden_names;
};

enum class StatementKind {
  kText,      // text
  kOutput,    // value
  kIf,        // branches
  kFor,       // target in value if condition: body, else: otherwise
  kBreak,     //
  kContinue,  //
  kSet,       // target = value
  kSetBlock,  // target = text of body; value is a filter of it or null
  kFilter,    // value is a filter of the text of body
  kMacro,     // macro
  kScope,     // body with variables of its own: {% generation %}
};

struct TemplateBranch {
  ExpressionPointer condition;  // null for else
  TemplateBody body;
};

struct TemplateMacro {
  std::string name;
  std::vector<std::pair<std::string, ExpressionPointer>> parameters;  // a default may be null
  TemplateBody body;
};

struct TemplateStatement {
  StatementKind kind;
  int line;
  std::string text;
  ExpressionPointer value;
  // A name, an attribute of a namespace (kAttribute of a name), or a tuple of targets.
  ExpressionPointer target;
  ExpressionPointer condition;
  std::vector<TemplateBranch> branches;
  TemplateBody body, otherwise;
  std::unique_ptr<TemplateMacro> macro;
};

}  // namespace lmtrain

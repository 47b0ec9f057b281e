#include "data/chat/template_parser.h"

#include <algorithm>
#include <initializer_list>

#include "base/strict_json.h"
#include "base/text.h"
#include "data/chat/template_expressions.h"

namespace lmtrain {
namespace {

using StatementPointer = std::unique_ptr<TemplateStatement>;
using Tags = std::initializer_list<std::string_view>;

// What the statements around a place allow there.
struct Surroundings {
  bool is_in_loop = false;      // break and continue have a loop, and `loop` cannot be set
  bool has_outer_loop = false;  // `loop` belongs to a loop further out
  bool can_define_macros = true;
};

class Parser {
 public:
  explicit Parser(std::string_view source)
      : cursor_(template_tokens(source)), expressions_(cursor_, levels_) {}

  TemplateBody run() {
    TemplateBody body = statements({});
    if (!cursor_.is(TokenKind::kEnd)) cursor_.fail_unexpected("a statement");
    return body;
  }

 private:
  // The statements up to one of `ends`, whose name is then the next token, or up to the end.
  TemplateBody statements(Tags ends) {
    TemplateBody body;
    while (!cursor_.is(TokenKind::kEnd)) {
      if (cursor_.is(TokenKind::kText)) {
        StatementPointer text = make(StatementKind::kText);
        text->text = cursor_.take().text;
        body.statements.push_back(std::move(text));
      } else if (cursor_.is(TokenKind::kOutputBegin)) {
        body.statements.push_back(output());
      } else {
        cursor_.expect(TokenKind::kBlockBegin);
        if (is_one_of(ends)) return body;
        body.statements.push_back(tag());
        cursor_.expect(TokenKind::kBlockEnd);
      }
    }
    return body;
  }

  bool is_one_of(Tags names) const {
    return std::any_of(names.begin(), names.end(),
                       [&](auto name) { return cursor_.is_name(name); });
  }

  // The body of a tag: the rest of the tag has been parsed. It ends before the name of an end tag.
  TemplateBody body_until(Tags ends) {
    cursor_.take_operator(":");
    cursor_.expect(TokenKind::kBlockEnd);
    TemplateBody body = statements(ends);
    if (cursor_.is(TokenKind::kEnd)) {
      cursor_.fail(cat("the template ends without {% ", *(ends.end() - 1), " %}"));
    }
    return body;
  }
  // The same with one end tag, which is taken.
  TemplateBody body_to(std::string_view end) {
    TemplateBody body = body_until({end});
    cursor_.take();
    return body;
  }

  StatementPointer make(StatementKind kind) const {
    auto statement = std::make_unique<TemplateStatement>();
    statement->kind = kind;
    statement->line = cursor_.here().line;
    return statement;
  }

  StatementPointer output() {
    StatementPointer statement = make(StatementKind::kOutput);
    cursor_.expect(TokenKind::kOutputBegin);
    statement->value = expressions_.expression_or_tuple();
    cursor_.expect(TokenKind::kOutputEnd);
    return statement;
  }

  StatementPointer tag() {
    const NestingGuard guard(levels_, cursor_);
    if (!cursor_.is(TokenKind::kName)) cursor_.fail_unexpected("the name of a tag");
    const std::string name = cursor_.here().text;
    if (name == "if") return if_tag();
    if (name == "for") return for_tag();
    if (name == "set") return set_tag();
    if (name == "macro") return macro_tag();
    if (name == "filter") return filter_tag();
    if (name == "generation") return generation_tag();
    if (name == "break" || name == "continue") return leaving_tag();
    if (name.starts_with("end") || name == "else" || name == "elif") {
      cursor_.fail(cat("the tag ", show_text(name), " ends no block that is open here"));
    }
    cursor_.fail(cat("the tag ", show_text(name), " is not covered"));
  }

  StatementPointer if_tag() {
    StatementPointer statement = make(StatementKind::kIf);
    while (true) {
      const bool is_else = cursor_.take().text == "else";
      TemplateBranch& branch = statement->branches.emplace_back();
      if (is_else) {
        branch.body = body_to("endif");
        return statement;
      }
      branch.condition = expressions_.expression_or_tuple(false);
      branch.body = body_until({"elif", "else", "endif"});
      if (cursor_.take_name("endif")) return statement;
    }
  }

  StatementPointer for_tag() {
    StatementPointer statement = make(StatementKind::kFor);
    cursor_.take();
    statement->target = expressions_.target(false);
    cursor_.expect_name("in");
    statement->value = expressions_.expression_or_tuple(false);
    if (cursor_.take_name("if")) statement->condition = expressions_.expression();
    if (cursor_.is_name("recursive")) cursor_.fail("a loop that is 'recursive' is not covered");

    const Surroundings outer = here_;
    here_ = {.is_in_loop = true, .has_outer_loop = true, .can_define_macros = false};
    require_not_loop(*statement->target);
    statement->body = body_until({"else", "endfor"});
    here_ = outer;
    if (cursor_.take().text == "endfor") return statement;
    here_.can_define_macros = false;
    statement->otherwise = body_to("endfor");
    here_ = outer;
    return statement;
  }

  StatementPointer set_tag() {
    StatementPointer statement = make(StatementKind::kSet);
    cursor_.take();
    statement->target = expressions_.target(true);
    require_not_loop(*statement->target);
    if (cursor_.take_operator("=")) {
      statement->value = expressions_.expression_or_tuple();
      return statement;
    }
    statement->kind = StatementKind::kSetBlock;
    statement->value = expressions_.filters_of_block();
    statement->body = body_of_scope("endset", here_.is_in_loop);
    return statement;
  }

  StatementPointer filter_tag() {
    StatementPointer statement = make(StatementKind::kFilter);
    cursor_.take();
    statement->value = expressions_.filter_of_tag();
    statement->body = body_of_scope("endfilter", here_.is_in_loop);
    return statement;
  }

  // Jinja makes a function of the block, which break and continue cannot leave.
  StatementPointer generation_tag() {
    StatementPointer statement = make(StatementKind::kScope);
    cursor_.take();
    statement->body = body_of_scope("endgeneration", false);
    return statement;
  }

  TemplateBody body_of_scope(std::string_view end, bool is_in_loop) {
    const Surroundings outer = here_;
    here_.is_in_loop = is_in_loop;
    here_.can_define_macros = false;
    TemplateBody body = body_to(end);
    here_ = outer;
    return body;
  }

  StatementPointer macro_tag() {
    if (!here_.can_define_macros) {
      cursor_.fail("a macro within a loop, a macro or another block is not covered");
    }
    StatementPointer statement = make(StatementKind::kMacro);
    cursor_.take();
    statement->macro = std::make_unique<TemplateMacro>();
    TemplateMacro& macro = *statement->macro;
    macro.name = cursor_.expect_any_name();
    parse_parameters(macro);
    macro.body = body_of_scope("endmacro", false);
    return statement;
  }

  void parse_parameters(TemplateMacro& macro) {
    cursor_.expect_operator("(");
    while (!cursor_.is_operator(")")) {
      const std::string name = cursor_.expect_any_name();
      const bool is_twice =
          std::any_of(macro.parameters.begin(), macro.parameters.end(),
                      [&](const auto& parameter) { return parameter.first == name; });
      if (is_twice) cursor_.fail(cat("the macro has two parameters ", show_text(name)));
      ExpressionPointer value;
      if (cursor_.take_operator("=")) {
        value = expressions_.expression();
      } else if (!macro.parameters.empty() && macro.parameters.back().second) {
        cursor_.fail("a parameter without a default follows one with a default");
      }
      macro.parameters.emplace_back(name, std::move(value));
      if (!cursor_.is_operator(")")) cursor_.expect_operator(",");
    }
    cursor_.take();
  }

  StatementPointer leaving_tag() {
    const bool is_break = cursor_.is_name("break");
    StatementPointer statement = make(is_break ? StatementKind::kBreak : StatementKind::kContinue);
    if (!here_.is_in_loop) cursor_.fail(cat("'", cursor_.here().text, "' is in no loop"));
    cursor_.take();
    return statement;
  }

  void require_not_loop(const TemplateExpression& target) const {
    for (const ExpressionPointer& part : target.parts) {
      if (target.kind == ExpressionKind::kTuple) require_not_loop(*part);
    }
    if (here_.has_outer_loop && target.kind == ExpressionKind::kName && target.name == "loop") {
      cursor_.fail("the variable 'loop' cannot be set within a loop");
    }
  }

  int levels_ = 0;
  TemplateCursor cursor_;
  ExpressionParser expressions_;
  Surroundings here_;
};

}  // namespace

TemplateBody parse_template(std::string_view source) { return Parser(source).run(); }

}  // namespace lmtrain

#include "data/chat/chat_template.h"

#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"

namespace lmtrain {
namespace {

using Json = nlohmann::json;

const std::vector<ChatMessage> kChat = {{"user", "Hello"}, {"assistant", "Hi"}};
const std::map<std::string, std::string> kTokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};

std::string rendered(const std::string& source, const std::vector<ChatMessage>& messages = kChat) {
  return ChatTemplate(source, "x.json: chat_template").render(messages, false, kTokens).text;
}

// The message of the error that the template ends with, "" where it renders.
std::string error_of(const std::string& source) {
  try {
    rendered(source);
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

std::string repeated(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

// A case of the fixture, which scripts/check_chat_template.py made with transformers.
void check(const Json& expected) {
  SCOPED_TRACE(expected["name"].get<std::string>() + ": " +
               expected["template"].get<std::string>());
  std::vector<ChatMessage> messages;
  for (const Json& message : expected["messages"]) {
    messages.push_back({message["role"], message["content"]});
  }
  const bool fails = expected.contains("error");
  const std::string message = expected.value("message", "");
  try {
    const ChatTemplate chat_template(expected["template"].get<std::string>(), "x.json");
    const std::string text =
        chat_template.render(messages, expected["add_generation_prompt"], expected["special"]).text;
    EXPECT_FALSE(fails) << text;
    EXPECT_EQ(text, expected.value("expected", text));
  } catch (const DataError& error) {
    EXPECT_TRUE(fails) << error.what();
    EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
  }
}

// Defect: a template of a model, a statement, an operator, a filter, a test or white space that
// gives another text than transformers, or no error where transformers has one.
TEST(ChatTemplate, RendersAsTransformersDoes) {
  const Json cases =
      Json::parse(read_file(LMTRAIN_SOURCE_DIR "/tests/fixtures/chat_templates.json"));
  ASSERT_GT(cases.size(), 600U);
  for (const Json& expected : cases) check(expected);
}

// Defect: a template that reads the messages in another order, or not all of them.
TEST(ChatTemplate, RendersEachMessage) {
  EXPECT_EQ(rendered("{% for m in messages %}<{{ m.role }}>{{ m['content'] }}{% endfor %}"),
            "<user>Hello<assistant>Hi");
  EXPECT_EQ(rendered("{{ messages | length }}", {}), "0");
}

// Defect: a rendering that changes the template, so that the next one differs.
TEST(ChatTemplate, RendersAgainTheSame) {
  const ChatTemplate chat_template(
      "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}"
      "{{ ns.n }}{{ add_generation_prompt }}",
      "x");
  EXPECT_EQ(chat_template.render(kChat, true, {}).text, "2True");
  EXPECT_EQ(chat_template.render(kChat, false, {}).text, "2False");
}

// Defect: a message of an error that does not say where and what the cause is.
TEST(ChatTemplate, NamesTheLineAndWhatIsNotCovered) {
  const std::string place = "x.json: chat_template: line ";
  EXPECT_EQ(error_of("a\n{{ 1 |\n  frobnicate }}"),
            place + "3: the filter 'frobnicate' is not covered");
  EXPECT_EQ(error_of("\n\n{% include 'a' %}"), place + "3: the tag 'include' is not covered");
  EXPECT_EQ(error_of("{{ 1 is frobnicated }}"), place + "1: the test 'frobnicated' is not covered");
  EXPECT_EQ(error_of("\n{{ messages[0].content.encode() }}"),
            place + "2: the method 'encode' of a str is not covered");
  EXPECT_EQ(error_of("{{ 2 ** 3 }}"), place + "1: the operator ** is not covered");
  EXPECT_EQ(error_of("{% for m in messages recursive %}{% endfor %}"),
            place + "1: a loop that is 'recursive' is not covered");
  EXPECT_EQ(error_of("{% macro f() %}{{ caller() }}{% endmacro %}"),
            place + "1: the variable 'caller' of a macro is not covered");
  EXPECT_EQ(error_of("{% for m in messages %}{% macro f() %}{% endmacro %}{% endfor %}"),
            place + "1: a macro within a loop, a macro or another block is not covered");
  EXPECT_EQ(error_of("{{ cycler }}"), place + "1: 'cycler' of Jinja is not covered");
}

// Defect: what Jinja escapes when it is added to a safe text, and lmtrain does not.
TEST(ChatTemplate, LeavesASafeTextAlone) {
  EXPECT_EQ(rendered("{% set x = '<' | safe if true else '' %}{{ x ~ '>' }}{{ x == '<' }}"),
            "<>True");
  for (const std::string use : {"x + '<'", "'<' + x", "x.upper()", "x[0]", "x[:1]", "x | trim"}) {
    EXPECT_NE(error_of("{% set x = 'a' | safe %}{{ " + use + " }}").find("'safe'"),
              std::string::npos)
        << use;
  }
}

// Defect: the template's own message is lost, or is of several lines.
TEST(ChatTemplate, TellsTheMessageOfTheTemplate) {
  EXPECT_EQ(
      error_of("{% if true %}\n{{ raise_exception('Roles must\\nalternate: ' ~ 1) }}{% endif %}"),
      "x.json: chat_template: line 2: the template refuses the chat: Roles must alternate: 1");
}

// Defect: an undefined value that is used as if it were none.
TEST(ChatTemplate, RefusesToUseAnUndefinedValue) {
  EXPECT_EQ(rendered("[{{ tool_calls }}{{ messages[0].tool_calls }}]"), "[]");
  EXPECT_EQ(error_of("{{ tool_calls.x }}"),
            "x.json: chat_template: line 1: 'tool_calls' is undefined");
  EXPECT_NE(error_of("{{ messages[0].name + 'x' }}").find("no attribute or key 'name'"),
            std::string::npos);
}

// Defect: a template that never ends, or takes all memory.
TEST(ChatTemplate, StopsATemplateThatDoesTooMuch) {
  const std::string much = "does more work than is allowed";
  for (
      const std::string source : {
          "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
          "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
          "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}"
          "{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
          "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(50) }}",
          "{{ 'a' * 1000000000000 }}",
          "{{ [1] * 1000000000000 }}",
          "{{ ('a' * 999999).replace('a', 'b' * 999999) }}",
          "{{ [[1]] | tojson(indent=1000000000000) }}",
      }) {
    EXPECT_NE(error_of(source).find(much), std::string::npos) << source << ": " << error_of(source);
  }
  EXPECT_NE(error_of("{% for a in range(99999) %}{{ 'a' * 1000 }}{% endfor %}").find("16.0 MiB"),
            std::string::npos);
}

// Defect: nesting that overflows the process's stack.
TEST(ChatTemplate, RefusesDeepNesting) {
  constexpr int kLevels = 30000;
  const auto nested = [](const std::string& begin, const std::string& end) {
    return "{{ " + repeated(begin, kLevels) + "1" + repeated(end, kLevels) + " }}";
  };
  for (const std::string& source :
       {nested("(", ")"), nested("[", "]"), nested("not ", ""), nested("- ", ""),
        nested("", " + 1"), nested("", " | string"), nested("", ".a"), nested("1 if 1 else ", ""),
        repeated("{% if 1 %}", kLevels) + repeated("{% endif %}", kLevels)}) {
    EXPECT_NE(error_of(source).find(" levels"), std::string::npos) << error_of(source);
  }
  const std::string values = "{% set ns = namespace(x=['a']) %}{% for i in range(9999) %}";
  for (const std::string source : {"[ns.x]", "{'a': ns.x}", "ns.x | map('upper')", "(ns.x,)"}) {
    EXPECT_NE(error_of(values + "{% set ns.x = " + source + " %}{% endfor %}").find(" levels"),
              std::string::npos)
        << source;
  }
  EXPECT_NE(error_of("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}").find("calls itself"),
            std::string::npos);
}

// Defect: memory that is read after the loop to which it belongs is over.
TEST(ChatTemplate, KeepsALoopThatTheTemplateKept) {
  EXPECT_EQ(rendered("{% set ns = namespace(l=0) %}{% for i in [1, 2, 3] if i > ns.l %}"
                     "{% set ns.l = loop %}{% break %}{% endfor %}{{ ns.l.index }}"),
            "1");
}

// Defect: a text that is not UTF-8 goes into the prompt.
TEST(ChatTemplate, RefusesInvalidUtf8) {
  EXPECT_NE(error_of("a\xFF").find("not valid UTF-8"), std::string::npos);
  EXPECT_THROW(rendered("a", {{"user", "\xC3"}}), DataError);
  EXPECT_NE(error_of(std::string((1 << 20) + 1, 'a')).find("bytes"), std::string::npos);
}

}  // namespace
}  // namespace lmtrain

#include "data/chat/chat.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/temporary_folder.h"

namespace lmtrain {
namespace {

const std::vector<ChatMessage> kTwoTurns = {{"system", "Be brief."}, {"user", "1+1"},
                                            {"assistant", "2"},      {"user", "2+2"},
                                            {"assistant", "4"},      {"user", "bye"}};

Chat chat_of_source(const std::string& source) {
  return Chat(ChatTemplate(source, "x"), {{"eos_token", "</s>"}});
}

std::vector<std::string> answers(const Chat& chat, const std::vector<ChatMessage>& messages) {
  const RenderedChat rendered = chat.with_answers(messages);
  std::vector<std::string> parts;
  for (const TextPart& part : rendered.generated)
    parts.push_back(rendered.text.substr(part.begin, part.end - part.begin));
  return parts;
}

// Defect: an answer that begins with the header of its message, or ends before the token that ends
// it; the last message, which no answer follows, taken for one.
TEST(Chats, AnswersGoFromTheirHeaderToTheEndOfTheirMessage) {
  const Chat chat = chat_of_source(
      "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>\n{% endfor %}"
      "{% if add_generation_prompt %}<assistant>{% endif %}");
  EXPECT_EQ(answers(chat, kTwoTurns), (std::vector<std::string>{"2</s>\n", "4</s>\n"}));
  EXPECT_EQ(chat.prompt({{"user", "hi"}}), "<user>hi</s>\n<assistant>");
}

// Defect: a template refused, or a next message learned, since it ends a whole chat with a token.
TEST(Chats, AnEndTokenBehindTheLastMessageAloneIsNoPartOfEarlierOnes) {
  const Chat chat = chat_of_source(
      "{% for m in messages %}<{{ m.role }}>{{ m.content }};{% endfor %}"
      "{% if add_generation_prompt %}<assistant>{% else %}{{ eos_token }}{% endif %}");
  EXPECT_EQ(answers(chat, {{"user", "a"}, {"assistant", "b"}, {"user", "c"}, {"assistant", "d"}}),
            (std::vector<std::string>{"b;", "d;</s>"}));
}

// Defect: marks counted in the text of their block and not of the whole; marks of a template that
// has them overruled.
TEST(Chats, AnswersAreWhatTheTemplateMarks) {
  const Chat chat = chat_of_source(
      "{{ 'begin ' }}{% for m in messages %}{% if m.role == 'assistant' %}"
      "A: {% generation %}{{ m.content + eos_token }}{% endgeneration %} "
      "{% else %}{{ m.content }} {% endif %}{% endfor %}");
  const RenderedChat rendered = chat.with_answers(kTwoTurns);
  EXPECT_EQ(rendered.text, "begin Be brief. 1+1 A: 2</s> 2+2 A: 4</s> bye ");
  EXPECT_EQ(answers(chat, kTwoTurns), (std::vector<std::string>{"2</s>", "4</s>"}));
}

// Defect: an answer of earlier turns taken where the template leaves half of it out.
TEST(Chats, ATemplateThatRewritesEarlierAnswersIsRefused) {
  const Chat chat = chat_of_source(
      "{% for m in messages %}{{ m.role }}:"
      "{% if loop.last %}{{ m.content }}{% else %}{{ m.content[:1] }}{% endif %};{% endfor %}"
      "{% if add_generation_prompt %}assistant:{% endif %}");
  const std::string message = message_of<DataError>([&] {
    chat.with_answers({{"user", "a"}, {"assistant", "long"}, {"user", "b"}, {"assistant", "c"}});
  });
  EXPECT_NE(message.find("{% generation %}"), std::string::npos) << message;
}

}  // namespace
}  // namespace lmtrain

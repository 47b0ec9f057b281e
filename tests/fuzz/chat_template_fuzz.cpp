// A chat template and what it is given: any bytes are rendered, or a DataError.
#include <string>

#include "base/error.h"
#include "data/chat/chat.h"
#include "tests/fuzz/file_of_bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lmtrain;
  Parts parts(data, size);
  const std::string source(parts.next());
  const std::string role(parts.next());
  const std::string content(parts.next(/*is_last=*/true));
  try {
    const Chat chat(ChatTemplate(source, "x"), {{"eos_token", "</s>"}});
    const std::vector<ChatMessage> messages = {
        {"user", "hello"}, {role, content}, {"assistant", content}};
    chat.prompt(messages);
    const RenderedChat rendered = chat.with_answers(messages);
    for (const TextPart& part : rendered.generated)
      if (part.begin > part.end || part.end > rendered.text.size()) __builtin_trap();
  } catch (const DataError&) {
  }
  return 0;
}

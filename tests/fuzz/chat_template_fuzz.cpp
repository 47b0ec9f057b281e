// A chat template and what it is given: any bytes are rendered, or a DataError.
#include <string>

#include "base/error.h"
#include "tests/fuzz/file_of_bytes.h"
#include "trainer/chat/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lmtrain;
  Parts parts(data, size);
  const std::string source(parts.next());
  const std::string role(parts.next());
  const std::string content(parts.next(/*is_last=*/true));
  try {
    const ChatTemplate chat(source, "x");
    for (const bool prompts : {false, true})
      chat.render({{"user", "hello"}, {role, content}}, prompts, {{"eos_token", "</s>"}});
  } catch (const DataError&) {
  }
  return 0;
}

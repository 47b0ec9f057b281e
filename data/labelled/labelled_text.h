// A text with what a model is to learn of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/chat/chat_template.h"
#include "data/encoded_text.h"

namespace lmtrain {

struct KnownAnswer {
  std::string text;
  int64_t begin = 0;  // its first byte in the passage
};

// Which members hold something depends on the task.
struct LabelledText {
  // Of question answering: question and passage; of an instruction: prompt and completion.
  TextPair texts;
  std::string label;                  // its name, or the number of a regression
  double value = 0;                   // the number of a regression
  std::vector<std::string> words;     // of tagging
  std::vector<std::string> tags;      // as many
  std::vector<KnownAnswer> answers;   // none: the passage holds no answer
  std::vector<ChatMessage> messages;  // of a chat, in place of an instruction's texts
  size_t num_asked = 0;               // of these the first are asked, and not learned
  std::string place;                  // "FILE:LINE"
};

}  // namespace lmtrain

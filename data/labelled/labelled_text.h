// A text with what a model is to learn of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/encoded_text.h"

namespace lmtrain {

struct KnownAnswer {
  std::string text;
  int64_t begin = 0;  // its first byte in the passage
};

// Which members hold something depends on the task.
struct LabelledText {
  TextPair texts;                    // of question answering: question and passage
  std::string label;                 // its name, or the number of a regression
  double value = 0;                  // the number of a regression
  std::vector<std::string> words;    // of tagging
  std::vector<std::string> tags;     // as many
  std::vector<KnownAnswer> answers;  // none: the passage holds no answer
  std::string place;                 // "FILE:LINE"
};

}  // namespace lmtrain

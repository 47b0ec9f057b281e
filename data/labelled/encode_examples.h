// Labelled texts as samples of a model.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "data/chat/chat.h"
#include "data/labelled/example.h"
#include "data/labelled/labelled_text.h"
#include "data/tokenizer/tokenizer.h"

namespace lmtrain {

// The names of labels, each with its number.
class LabelNames {
 public:
  LabelNames() = default;
  explicit LabelNames(std::vector<std::string> names);

  const std::vector<std::string>& all() const { return names_; }
  // Throws DataError, naming `place` and the nearest name.
  int32_t number_of(const std::string& name, const std::string& place) const;

 private:
  std::vector<std::string> names_;
  std::map<std::string, int32_t> numbers_;
};

struct EncodingRule {
  TrainingTask task = TrainingTask::kClassification;
  LabelledTruncation truncation = LabelledTruncation::kLongestFirst;
  int64_t stride = 128;    // question_answering: tokens that windows of a passage share
  int64_t max_tokens = 0;  // of a sample, special ones included
  // instruction_tuning:
  LearnedPart learn = LearnedPart::kAnswers;
  const Chat* chat = nullptr;  // how messages are written, and what ends a completion
};

struct EncodedExamples {
  std::vector<Example> examples;
  int64_t num_cut = 0;            // texts that were too long; of words and passages nothing is lost
  int64_t num_without_label = 0;  // that have no example, as nothing to learn is left of them
};

// The samples of a text, several for a long passage (Devlin et al., 2019). Words are encoded each
// by itself, and the first token of one has its tag. Throws DataError, naming the text's place.
EncodedExamples encode_examples(const LabelledText& text, const LabelNames& names,
                                const Tokenizer& tokenizer, Tokenizer::Encoder& encoder,
                                const EncodingRule& rule);

// The first byte of each token in `text` and that behind it. Tokens that are made of bytes lie end
// to end. Others lie within words, and each takes as many characters as it has; an unknown one
// takes what the others leave.
struct TextTokens {
  std::vector<int32_t> ids;
  std::vector<std::pair<int32_t, int32_t>> bytes;
};
TextTokens tokens_with_bytes(const std::string& text, const Tokenizer& tokenizer,
                             Tokenizer::Encoder& encoder);

}  // namespace lmtrain

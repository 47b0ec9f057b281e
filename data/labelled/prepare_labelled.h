// Makes files of examples in the cache from the labelled texts that a config names.
//
//   CACHE/examples-KEY/
//     train.examples, validation.examples     KEY: content, tokenizer, and what says how it is read
//     labels.json                             the names of the labels, in order
//     validation.jsonl                        question_answering: passages and answers
//     hash                                    of the two files before
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/chat/chat.h"
#include "data/data_config.h"
#include "data/labelled/example.h"
#include "data/labelled/labelled_text.h"
#include "data/prepare.h"
#include "data/tokenizer/tokenizer.h"

namespace lmtrain {

// What rank 0 sends to the others. Consists of words.
struct ExampleKeys {
  uint64_t key = 0;
  uint64_t train_fingerprint = 0;
  uint64_t validation_fingerprint = 0;  // 0 without validation
};

// What is known of a passage for the evaluation of answers.
struct Passage {
  std::string text;
  std::vector<std::string> answers;  // none: the passage holds none
};

struct PreparedExamples {
  ExampleKeys keys;
  Tokenizer tokenizer;
  std::vector<std::string> labels;  // of classification and tagging
  ExampleFile train;
  std::optional<ExampleFile> validation;
  std::vector<Passage> passages;  // by Example::text, of question answering's validation
  bool was_in_cache = false;
};

// How the instructions' chats are written, for the tokenizer.
using ChatOfTokenizer = std::function<Chat(const Tokenizer&)>;

// `labels` are those of the config, in their order; where there are none, those of the training
// texts, sorted. Throws DataError naming file and line, and ConfigError for a text that no
// tokenizer is named for.
PreparedExamples prepare_labelled(const DataConfig& data, const TokenizerConfig& tokenizer,
                                  TrainingTask task, const std::vector<std::string>& labels,
                                  const ChatOfTokenizer& chat_of, const PrepareOptions& options);

// Opens what rank 0 prepared, on the ranks that waited for it.
PreparedExamples open_prepared_examples(const DataConfig& data, const TokenizerConfig& tokenizer,
                                        const ExampleKeys& keys);

}  // namespace lmtrain

// The texts that a command reads: from its options, from a file, or both.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "trainer/commands/command.h"
#include "trainer/inference/loaded_model.h"
#include "trainer/inference/text_batches.h"

namespace lmtrain {

struct TextArguments {
  std::vector<std::string> texts;
  std::vector<std::string> pairs;  // none, or one for each text
  std::string file;
};
enum class TakesPairs { kNo, kYes };
void add_text_arguments(CLI::App* app, TextArguments& arguments, TakesPairs pairs);
std::vector<Synonyms> text_words(TakesPairs pairs);
// At least one. Throws ConfigError where there is none, DataError and IoError for the file.
std::vector<TextPair> texts_of(const TextArguments& arguments);

std::string read_standard_input();

// Calls read(i) for each of `count` texts. A DataError that it throws then names the text.
void for_each_text(size_t count, const std::function<void(size_t)>& read);

// --truncation, --max-length and --special-tokens; max_tokens is 0 where it is not given.
void add_encoding_options(CLI::App* app, EncodingOptions& options);
// The texts as the model reads them. `limit`: tokens that it holds at most.
std::vector<EncodedText> encoded(const LoadedModel& loaded, const std::vector<TextPair>& texts,
                                 EncodingOptions options, int64_t limit);

// --batch-size: texts that are read at once.
void add_batch_option(CLI::App* app, int64_t& batch_size);

}  // namespace lmtrain

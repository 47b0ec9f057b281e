// What the commands that continue or score a text have in common.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "models/decoder.h"
#include "parallel/launch.h"
#include "trainer/commands/command.h"
#include "trainer/inference/loaded_model.h"

namespace lmtrain {

// What stands before a text. Without either option: what the checkpoint says.
struct StartOptions {
  std::string token;  // --start-token: a special token or an id
  bool none = false;  // --no-start-token

  bool is_given() const { return none || !token.empty(); }
};
void add_start_options(CLI::App* app, StartOptions& options);
Synonyms start_words();

// The id of a special token's name, or a number that is one. Throws ConfigError naming the option.
int32_t token_named(const Tokenizer& tokenizer, const std::string& name, const char* option);

// --special-tokens: whether the text of special tokens in a prompt stands for them.
void add_special_tokens_option(CLI::App* app, SpecialTokens& special_tokens);

// --precision and --int8.
void add_model_options(CLI::App* app, ModelOptions& options);
Synonyms precision_words();

// A check of CLI11: a stop that is no text is refused.
std::string not_empty(const std::string& text);

// Throws IoError where a file cannot be written because its folder is not there or because it is no
// file but a folder or a device: that is said before the work, not after it.
void require_folder_of(const std::filesystem::path& file);

// Loads the model on all ranks of the job, over which it is cut where there are several.
LoadedModel load_on_ranks(const std::string& checkpoint, const ModelOptions& options,
                          Launch& launch);

// Ids of `text` behind its start token, where it has one. Throws DataError for a token that the
// tokenizer does not have.
std::vector<int32_t> with_start(const LoadedModel& loaded, const StartOptions& options,
                                const std::string& text, SpecialTokens special_tokens);

// Throws ConfigError where the model's head predicts no tokens.
void require_language_head(const LoadedModel& loaded);

// The same, also where the model is not a decoder. `loaded` owns the result.
const Decoder& decoder_of(const LoadedModel& loaded);

}  // namespace lmtrain

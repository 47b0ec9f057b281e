#include "trainer/commands/text_arguments.h"

#include <iostream>
#include <sstream>

#include "base/error.h"
#include "base/text.h"
#include "trainer/commands/language_model.h"
#include "trainer/inference/text_file.h"

namespace lmtrain {

std::string read_standard_input() {
  std::ostringstream text;
  text << std::cin.rdbuf();
  return text.str();
}

void add_text_arguments(CLI::App* app, TextArguments& arguments, TakesPairs pairs) {
  const bool takes_pairs = pairs == TakesPairs::kYes;
  add_texts(app, "--text", arguments.texts, "Text; may be given several times");
  if (takes_pairs) {
    add_texts(app, "--pair", arguments.pairs,
              "Second text of each --text: a passage that holds the answer, say");
  }
  app->add_option("--texts", arguments.file,
                  takes_pairs ? "File of texts: one a line; with the ending .tsv a text, a tab and "
                                "its pair; with .jsonl objects with \"text\" and \"pair\""
                              : "File of texts: one a line, or with the ending .jsonl objects with "
                                "\"text\"");
}

std::vector<Synonyms> text_words(TakesPairs pairs) {
  std::vector<Synonyms> words = {
      {{"input", "prompt", "sentence", "question", "premise", "sentence1", "t"}, {"--text"}, ""},
      {{"file", "input_file", "inputs"}, {"--texts"}, ""}};
  if (pairs == TakesPairs::kYes) {
    words.push_back(
        {{"text_pair", "context", "passage", "hypothesis", "sentence2"}, {"--pair"}, ""});
  }
  return words;
}

std::vector<TextPair> texts_of(const TextArguments& arguments) {
  if (!arguments.pairs.empty() && arguments.pairs.size() != arguments.texts.size()) {
    throw ConfigError(cat("--text is given ", arguments.texts.size(), " times and --pair ",
                          arguments.pairs.size(), " times; give each text its pair"));
  }
  std::vector<TextPair> texts;
  for (size_t i = 0; i < arguments.texts.size(); ++i)
    texts.push_back({arguments.texts[i], arguments.pairs.empty() ? "" : arguments.pairs[i]});
  if (!arguments.file.empty()) {
    const std::vector<TextPair> more = read_texts(arguments.file, {.text = "text", .pair = "pair"});
    texts.insert(texts.end(), more.begin(), more.end());
  }
  if (texts.empty()) throw ConfigError("there is no text: give --text or --texts");
  return texts;
}

void for_each_text(size_t count, const std::function<void(size_t)>& read) {
  for (size_t i = 0; i < count; ++i) {
    try {
      read(i);
    } catch (const DataError& error) {
      if (count == 1) throw;
      throw DataError(cat("text ", i + 1, " of ", count, ": ", error.what()));
    }
  }
}

void add_encoding_options(CLI::App* app, EncodingOptions& options) {
  add_choice(app, "--truncation", options.truncation,
             "What to do with a text that is too long: do_not_truncate refuses it, longest_first "
             "cuts the longer of the two, only_first and only_second cut one");
  app->add_option("--max-length", options.max_tokens,
                  "Tokens of a text at most, special ones included; 0: as many as the model holds")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  add_special_tokens_option(app, options.special_tokens);
}

std::vector<EncodedText> encoded(const LoadedModel& loaded, const std::vector<TextPair>& texts,
                                 EncodingOptions options, int64_t limit) {
  if (options.max_tokens > limit) {
    throw ConfigError(cat("--max-length ", options.max_tokens, " is more than the ", limit,
                          " tokens that the model holds"));
  }
  if (options.max_tokens == 0) options.max_tokens = limit;
  std::vector<EncodedText> result;
  for_each_text(texts.size(), [&](size_t i) {
    result.push_back(encode_text(loaded.tokenizer, texts[i], options));
  });
  return result;
}

void add_batch_option(CLI::App* app, int64_t& batch_size) {
  app->add_option("--batch-size", batch_size, "Texts that are read at once")
      ->check(CLI::Range(1, 1 << 12))
      ->capture_default_str();
}

}  // namespace lmtrain

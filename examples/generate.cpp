// Continues a prompt with a trained model: generate CHECKPOINT PROMPT [SEED]
//
// CHECKPOINT is a checkpoint's folder, or a run's folder for its newest. The text is that of
// `lmtrain generate CHECKPOINT --prompt PROMPT --seed SEED`.
#include <cstdint>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"
#include "models/decoder.h"
#include "trainer/inference/engine.h"
#include "trainer/inference/loaded_model.h"

namespace {

std::string continuation(const std::string& checkpoint, const std::string& prompt, uint64_t seed) {
  const lmtrain::LoadedModel loaded = lmtrain::load_model(checkpoint);
  const auto* const decoder = dynamic_cast<const lmtrain::Decoder*>(loaded.model.get());
  if (decoder == nullptr || !loaded.config.model.has_language_head())
    throw lmtrain::ConfigError(checkpoint + " does not hold a model that writes text");

  std::vector<int32_t> tokens;
  if (loaded.start_token >= 0) tokens.push_back(loaded.start_token);
  loaded.tokenizer.encode(prompt, tokens);
  if (tokens.empty()) throw lmtrain::DataError("the prompt is empty");

  lmtrain::DecodingOptions options;
  options.seed = seed;
  options.end_tokens = loaded.end_tokens;
  lmtrain::Engine engine(*decoder, {.num_tokens = loaded.tokenizer.vocab_size()});
  const std::vector<int32_t> generated = lmtrain::generate_tokens(engine, tokens, options);
  return lmtrain::shown_as_utf8(loaded.tokenizer.decode(generated));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::cerr << "usage: generate CHECKPOINT PROMPT [SEED]\n";
    return 64;
  }
  try {
    const uint64_t seed = argc == 4 ? std::stoull(argv[3]) : 1;
    std::cout << argv[2] << continuation(argv[1], argv[2], seed) << "\n";
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}

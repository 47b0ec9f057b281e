#include "trainer/commands/language_model.h"

#include "base/error.h"
#include "base/text.h"
#include "trainer/inference/generate.h"

namespace lmtrain {

std::vector<int32_t> with_start(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<int32_t> tokens;
  if (const int32_t start = start_token(tokenizer); start >= 0) tokens.push_back(start);
  tokenizer.encode(text, tokens);
  return tokens;
}

void require_language_head(const LoadedModel& loaded) {
  const ModelConfig& model = loaded.config.model;
  if (model.has_language_head()) return;
  throw ConfigError(cat(loaded.checkpoint.string(), " has model.head = ", model.head,
                        ", so that it predicts no tokens",
                        model.has_label_head() ? "; ask it with lmtrain predict" : ""));
}

const Decoder& decoder_of(const LoadedModel& loaded) {
  require_language_head(loaded);
  const auto* const decoder = dynamic_cast<const Decoder*>(loaded.model.get());
  if (decoder != nullptr) return *decoder;
  throw ConfigError(cat(loaded.checkpoint.string(), " is a ", loaded.config.model.kind,
                        ", which fills in masked tokens and writes no text; score it instead"));
}

}  // namespace lmtrain

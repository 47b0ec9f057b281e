#include "data/train_tokenizer.h"

#include "data/tokenizer/wordpiece_trainer.h"

namespace lmtrain {

Tokenizer train_tokenizer(DocumentReader& reader, const TokenizerConfig& config,
                          const TokenizerTraining& training,
                          const std::function<void(double fraction)>& progress) {
  Document document;  // keeps the mapping alive that the view points into
  const auto next_document = [&](std::string_view& text) {
    const bool found = reader.next(document);
    text = document.text;
    return found;
  };
  if (config.kind == TokenizerKind::kWordpiece) {
    WordPieceTrainerOptions options;
    options.vocab_size = config.vocab_size;
    options.num_threads = training.num_threads;
    options.max_memory_bytes = training.max_memory_bytes;
    options.lowercase = config.lowercase;
    return train_wordpiece(next_document, options, progress);
  }
  BpeTrainerOptions options;
  options.vocab_size = config.vocab_size;
  options.num_threads = training.num_threads;
  options.max_memory_bytes = training.max_memory_bytes;
  if (training.use == TokenizerUse::kMaskedTokens)
    options.special_tokens = {"<s>", "<pad>", "</s>", "<unk>", "<mask>"};  // RoBERTa's
  return train_bpe(next_document, options, progress);
}

}  // namespace lmtrain

// Text to token ids and back. A tokenizer is a pipeline of four components (normalizer.h,
// pre_tokenizer.h, model.h, decoder.h) and a list of special tokens; its stored form is the
// tokenizer.json of the Hugging Face `tokenizers` package, which gives the same ids for it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lmtrain {

struct TokenizerPipeline;  // tokenizer_pipeline.h
class WordCache;

inline constexpr std::string_view kEndOfText = "<|endoftext|>";

// What tokens of a meaning (special ones, like "<|endoftext|>") are where a text has them: text
// like any other, as in training data, or found as the tokenizers package finds them. Added tokens
// that are not special are always found.
enum class SpecialTokens { kAsText, kMatched };

// Whether a folder holds files that Tokenizer::load reads.
bool has_tokenizer(const std::filesystem::path& folder);

// Cheap to copy, immutable; all functions are safe to call from many threads.
class Tokenizer {
 public:
  // A tokenizer.json, or the folder that holds one, or else GPT-2's vocab.json and merges.txt, or
  // else BERT's vocab.txt.
  // Throws IoError when it cannot be read, and DataError when it is not JSON, contradicts itself,
  // or names a component, type or field value that lmtrain does not have; the message names the
  // file and the component.
  static Tokenizer load(const std::filesystem::path& file_or_folder);
  // The same of a text; `origin` opens the messages.
  static Tokenizer parse(std::string_view json, std::string_view origin);

  explicit Tokenizer(TokenizerPipeline pipeline);

  // Durable write of to_json().
  void save(const std::filesystem::path& file) const;
  // The canonical form: two files that give the same ids for the same reasons have the same one.
  std::string to_json() const;
  // XXH3 of to_json().
  uint64_t hash() const;

  int64_t vocab_size() const;
  // Ids of special tokens, -1 when there is none.
  // What ends a text: "<|endoftext|>", Llama 3's "<|end_of_text|>", or else separator_token().
  int32_t end_of_text() const;
  // What the post-processor puts before a text. encode() leaves it to its callers.
  int32_t begin_of_text() const;
  int32_t mask_token() const;       // "[MASK]" or "<mask>"
  int32_t pad_token() const;        // "[PAD]" or "<pad>"
  int32_t class_token() const;      // "[CLS]" or "<s>"
  int32_t separator_token() const;  // "[SEP]" or "</s>"
  int32_t unknown_token() const;    // "[UNK]" or "<unk>"
  bool is_special(int32_t id) const;
  // Whether tokens are of bytes, so that decode() gives every text back; else of words.
  bool is_byte_level() const;
  // Whether a token goes on with the word of the token before it, as "##ing" does, and "ing" where
  // words begin with a space.
  bool continues_word(int32_t id) const;

  // Appends the ids of a text, or of two when `second` is not empty, with the special tokens of the
  // post-processor around them (none: as they are), and the type id of each.
  void add_special_tokens(std::span<const int32_t> first, std::span<const int32_t> second,
                          std::vector<int32_t>& ids, std::vector<int32_t>& type_ids) const;

  // Appends the ids of `text`. Byte-level tokenizers encode bytes that are not UTF-8 as bytes.
  void encode(std::string_view text, std::vector<int32_t>& ids,
              SpecialTokens special_tokens = SpecialTokens::kAsText) const;

  // The first place at or behind `at` where a text may be cut: the ids of its parts, special tokens
  // as text, one after the other are those of the whole. text.size() when there is none.
  size_t safe_cut(std::string_view text, size_t at) const;

  // For bulk encoding.
  class Encoder;

  // The text of the ids: decode(encode(text)) == text for all bytes when the tokenizer is
  // byte-level, else words with spaces between. Special tokens are left out unless asked for.
  // Throws DataError on an id outside the vocabulary.
  std::string decode(std::span<const int32_t> ids, bool with_special_tokens = false) const;
  // Of special tokens their content, of others the text that they add behind other tokens.
  std::string_view token_text(int32_t id) const;
  // Bytes of text that a token stands for; 0 for special tokens.
  int64_t token_num_bytes(int32_t id) const;

 private:
  void check_id(int32_t id) const;

  std::shared_ptr<const TokenizerPipeline> pipeline_;
};

// Encodes like the tokenizer it was made from, several times faster on long texts: it remembers
// 8 MiB of words. One per thread.
class Tokenizer::Encoder {
 public:
  explicit Encoder(const Tokenizer& tokenizer);
  ~Encoder();
  Encoder(Encoder&&) noexcept;

  void encode(std::string_view text, std::vector<int32_t>& ids,
              SpecialTokens special_tokens = SpecialTokens::kAsText);

 private:
  void encode_words(std::span<const std::string_view> words, const char* text_end,
                    std::vector<int32_t>& ids);

  std::shared_ptr<const TokenizerPipeline> pipeline_;
  std::unique_ptr<WordCache> cache_;
  std::vector<int32_t> new_ids_;  // of one word that the cache does not know
};

}  // namespace lmtrain

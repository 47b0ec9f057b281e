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

// How encode() treats the text of a special token, such as "<|endoftext|>". kAsText: as ordinary
// text, as in training data. kMatched: as the special token, as the tokenizers package does. Added
// tokens that are not special are always found.
enum class SpecialTokens { kAsText, kMatched };

// Whether a folder holds files that Tokenizer::load reads.
bool has_tokenizer(const std::filesystem::path& folder);

// Cheap to copy, immutable; all functions are safe to call from many threads.
class Tokenizer {
 public:
  // Reads a tokenizer.json, or a folder that holds one, or else GPT-2's vocab.json and merges.txt,
  // or else BERT's vocab.txt. Throws IoError when it cannot be read, and DataError when it is not
  // JSON, contradicts itself, or names a component, type or field value that lmtrain does not have;
  // the message names the file and the component.
  static Tokenizer load(const std::filesystem::path& file_or_folder);
  // Reads the text of a tokenizer.json. Messages begin with `origin`.
  static Tokenizer parse(std::string_view json, std::string_view origin);

  explicit Tokenizer(TokenizerPipeline pipeline);

  // Writes to_json() durably (durable_file.h).
  void save(const std::filesystem::path& file) const;
  // Returns the canonical form: files that describe the same components have the same form.
  std::string to_json() const;
  // XXH3 of to_json().
  uint64_t hash() const;

  int64_t vocab_size() const;
  // The next functions return the ids of special tokens, -1 when there is none.
  // The token that ends a text: "<|endoftext|>", Llama 3's
  // "<|end_of_text|>", or else separator_token().
  int32_t end_of_text() const;
  // The token that the post-processor puts before a text. encode() leaves adding it to its callers.
  int32_t begin_of_text() const;
  int32_t mask_token() const;       // "[MASK]" or "<mask>"
  int32_t pad_token() const;        // "[PAD]" or "<pad>"
  int32_t class_token() const;      // "[CLS]" or "<s>"
  int32_t separator_token() const;  // "[SEP]" or "</s>"
  int32_t unknown_token() const;    // "[UNK]" or "<unk>"
  bool is_special(int32_t id) const;
  // The id of the special token with this content, -1 when there is none; and all contents.
  int32_t special_token(std::string_view content) const;
  std::vector<std::string> special_tokens() const;
  // Whether tokens are made of bytes, so that decode() restores every text exactly; otherwise they
  // are words or pieces of words.
  bool is_byte_level() const;
  // Whether a token continues the word of the token before it, as "##ing" does, or "ing" in a
  // vocabulary whose words begin with a space.
  bool continues_word(int32_t id) const;

  // Appends the ids of a text, or of two texts when `second` is not empty, with the special tokens
  // of the post-processor around them (without a post-processor, unchanged), and a
  // type id for each.
  void add_special_tokens(std::span<const int32_t> first, std::span<const int32_t> second,
                          std::vector<int32_t>& ids, std::vector<int32_t>& type_ids) const;

  // Appends the ids of `text`. Byte-level tokenizers encode bytes that are not UTF-8 as bytes.
  void encode(std::string_view text, std::vector<int32_t>& ids,
              SpecialTokens special_tokens = SpecialTokens::kAsText) const;

  // The text as the first stage leaves it, with special tokens as text: `text` itself for most
  // byte-level tokenizers, in Unicode's form NFC for some.
  std::string normalized(std::string_view text) const;

  // Returns the first place at or after `at` where a text may be cut without changing its ids: the
  // ids of the two parts, with special tokens as text, are together the ids of the whole. Returns
  // text.size() when there is no such place.
  size_t safe_cut(std::string_view text, size_t at) const;

  class Encoder;

  // Returns the text of the ids. For a byte-level tokenizer decode(encode(text)) == text for any
  // bytes; for others the result is words with spaces between. Special tokens are left out unless
  // `with_special_tokens` is set. Throws DataError for an id outside the vocabulary.
  std::string decode(std::span<const int32_t> ids, bool with_special_tokens = false) const;
  // Returns the content of a special token, or the text that any other token
  // adds after other tokens.
  std::string_view token_text(int32_t id) const;
  // Bytes of text that a token stands for; 0 for special tokens.
  int64_t token_num_bytes(int32_t id) const;

 private:
  void check_id(int32_t id) const;

  std::shared_ptr<const TokenizerPipeline> pipeline_;
};

// Encodes like the tokenizer that it was made from, but several times faster on long texts, because
// it keeps a cache of 8 MiB of words. Each thread needs its own.
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
  std::vector<int32_t> new_ids_;  // the ids of one word that is not in the cache
};

}  // namespace lmtrain

// The second stage of a tokenizer: it splits a text into words, which the model then
// encodes one by one.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace lmtrain {

// The words of Qwen's tokenizers, as their tokenizer.json writes them.
inline constexpr std::string_view kQwenPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
    R"(|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Safe to use from many threads.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Fills `words` with the next words of `text` from byte `position` on, moves `position` to their
  // end and returns their number, 0 at the end of the text. The words are views of `text`.
  virtual size_t next_words(std::string_view text, size_t& position,
                            std::span<std::string_view> words) const = 0;
  // Returns the component as tokenizer.json stores it.
  virtual std::string to_json() const = 0;
};

// The split of GPT-2 (Radford et al. 2019), done by a scanner instead of the regular expression
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// with the character classes of unicode_tables.h. A byte that is not UTF-8 counts as a character of
// the class [^\s\p{L}\p{N}]. Every byte of the text is in exactly one word.
class ByteLevelPreTokenizer : public PreTokenizer {
 public:
  size_t next_words(std::string_view text, size_t& position,
                    std::span<std::string_view> words) const override;
  std::string to_json() const override;
};

// The splits of Llama 3 and Qwen, also done by a scanner instead of the regular expression
//   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*
//   |\s*[\r\n]+|\s+(?!\S)|\s+
class SplitPreTokenizer : public PreTokenizer {
 public:
  // Numbers are cut after `max_digits` digits: 3 in Llama 3, 1 in Qwen.
  explicit SplitPreTokenizer(int max_digits) : max_digits_(max_digits) {}
  size_t next_words(std::string_view text, size_t& position,
                    std::span<std::string_view> words) const override;
  std::string to_json() const override;

 private:
  int max_digits_;
};

// Throws DataError for a component, type or field that lmtrain does not have.
std::unique_ptr<PreTokenizer> parse_pre_tokenizer(const nlohmann::json& value,
                                                  const std::string& place);

}  // namespace lmtrain

#include "data/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/bert_files.h"
#include "data/tokenizer/companion_files.h"
#include "data/tokenizer/gpt2_files.h"
#include "data/tokenizer/tokenizer_pipeline.h"
#include "data/tokenizer/word_cache.h"

namespace lmtrain {

namespace {

constexpr int64_t kMaxFileBytes = INT64_C(512) << 20;
constexpr std::string_view kLlama3EndOfText = "<|end_of_text|>";
constexpr const char* kFileName = "tokenizer.json";
constexpr int kMaxDepth = 16;  // nesting of tokenizer.json
constexpr size_t kWordsAtOnce = 256;

// Splits the text and calls encode_words(words, end of the text that they are views of) for a few
// words at a time.
template <class EncodeWords>
void for_words(const TokenizerPipeline& pipeline, std::string_view normal, const char* end,
               const EncodeWords& encode_words) {
  std::array<std::string_view, kWordsAtOnce> words;
  size_t position = 0;
  while (const size_t count = pipeline.pre_tokenizer->next_words(normal, position, words)) {
    encode_words(std::span(words).first(count), end);
  }
}

// The same for a text with added tokens, for each of which it calls add_token(id).
template <class EncodeWords, class AddToken>
void for_words_and_tokens(const TokenizerPipeline& pipeline, std::string_view text,
                          SpecialTokens special_tokens, const EncodeWords& encode_words,
                          const AddToken& add_token) {
  const bool with_special = special_tokens == SpecialTokens::kMatched;
  const bool searches = with_special || pipeline.finders.has_plain;
  std::string storage;
  const auto use_text = [&](std::string_view part) {
    const std::string_view normal = pipeline.normalizer->normalize(part, storage);
    const char* const end = normal.data() + normal.size();
    if (!searches) return for_words(pipeline, normal, end, encode_words);
    pipeline.finders.normalized.cut(
        normal, with_special,
        [&](std::string_view words) { for_words(pipeline, words, end, encode_words); }, add_token);
  };
  if (!searches) return use_text(text);
  pipeline.finders.raw.cut(text, with_special, use_text, add_token);
}

// Fills the id space: the model's tokens, and the added tokens that are not among them.
void number_tokens(TokenizerPipeline& pipeline) {
  const std::vector<std::string>& tokens = pipeline.model->tokens();
  size_t size = tokens.size();
  for (const AddedToken& token : pipeline.added_tokens) {
    size = std::max(size, static_cast<size_t>(token.id) + 1);
  }
  pipeline.texts.assign(size, "");
  pipeline.added_index.assign(size, -1);
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (!tokens[id].empty()) pipeline.texts[id] = pipeline.decoder->token_text(tokens[id]);
  }
  for (size_t i = 0; i < pipeline.added_tokens.size(); ++i) {
    const auto id = static_cast<size_t>(pipeline.added_tokens[i].id);
    pipeline.texts[id] = pipeline.decoder->token_text(pipeline.added_tokens[i].content);
    pipeline.added_index[id] = static_cast<int32_t>(i);
  }
}

// Returns the id of the first of the contents that is a special token.
int32_t find_special(const TokenizerPipeline& pipeline,
                     std::initializer_list<std::string_view> contents) {
  for (const std::string_view content : contents) {
    for (const AddedToken& token : pipeline.added_tokens) {
      if (token.special && token.content == content) return token.id;
    }
  }
  return -1;
}

void find_roles(TokenizerPipeline& pipeline) {
  TokenizerPipeline::Roles& roles = pipeline.roles;
  roles.mask = find_special(pipeline, {"[MASK]", "<mask>"});
  roles.pad = find_special(pipeline, {"[PAD]", "<pad>"});
  roles.classification = find_special(pipeline, {"[CLS]", "<s>"});
  roles.separator = find_special(pipeline, {"[SEP]", "</s>"});
  roles.unknown = find_special(pipeline, {"[UNK]", "<unk>"});
  roles.end_of_text = find_special(pipeline, {kEndOfText, kLlama3EndOfText});
  if (roles.end_of_text < 0) roles.end_of_text = roles.separator;
  const auto& single = pipeline.post_processor.single;
  if (!single.empty()) roles.begin_of_text = single.front().token;
}

// Returns the token as the vocabulary writes it.
const std::string& written_token(const TokenizerPipeline& pipeline, int32_t id) {
  const AddedToken* added = pipeline.added_token(id);
  return added != nullptr ? added->content : pipeline.model->tokens()[static_cast<size_t>(id)];
}

}  // namespace

bool has_tokenizer(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / kFileName) || has_gpt2_files(folder) ||
         has_bert_files(folder);
}

Tokenizer Tokenizer::load(const std::filesystem::path& file_or_folder) {
  std::error_code ignored;
  const bool is_folder = std::filesystem::is_directory(file_or_folder, ignored);
  const auto file = is_folder ? file_or_folder / kFileName : file_or_folder;
  if (is_folder && !std::filesystem::exists(file, ignored)) {
    if (has_gpt2_files(file_or_folder)) return Tokenizer(load_gpt2_files(file_or_folder));
    if (has_bert_files(file_or_folder)) return Tokenizer(load_bert_files(file_or_folder));
  }
  const std::string text = read_file(file, kMaxFileBytes);
  if (!is_folder) return parse(text, file.string());
  nlohmann::json document = parse_strict_json(text, file.string(), kMaxDepth);
  require_agreement(document, file_or_folder);
  merge_added_tokens(document, file_or_folder);
  return Tokenizer(parse_tokenizer_json(document, file.string()));
}

Tokenizer Tokenizer::parse(std::string_view json, std::string_view origin) {
  const std::string place(origin);
  return Tokenizer(parse_tokenizer_json(parse_strict_json(json, place, kMaxDepth), place));
}

Tokenizer::Tokenizer(TokenizerPipeline pipeline) {
  number_tokens(pipeline);
  find_roles(pipeline);
  pipeline.finders =
      make_added_token_finders(pipeline.added_tokens, *pipeline.normalizer, "added_tokens");
  pipeline.hash = hash_text(write_tokenizer_json(pipeline));
  pipeline_ = std::make_shared<const TokenizerPipeline>(std::move(pipeline));
}

void Tokenizer::save(const std::filesystem::path& file) const {
  write_file_durably(file, to_json());
}

std::string Tokenizer::to_json() const { return write_tokenizer_json(*pipeline_); }

uint64_t Tokenizer::hash() const { return pipeline_->hash; }

int64_t Tokenizer::vocab_size() const { return static_cast<int64_t>(pipeline_->texts.size()); }

int32_t Tokenizer::end_of_text() const { return pipeline_->roles.end_of_text; }
int32_t Tokenizer::begin_of_text() const { return pipeline_->roles.begin_of_text; }
int32_t Tokenizer::mask_token() const { return pipeline_->roles.mask; }
int32_t Tokenizer::pad_token() const { return pipeline_->roles.pad; }
int32_t Tokenizer::class_token() const { return pipeline_->roles.classification; }
int32_t Tokenizer::separator_token() const { return pipeline_->roles.separator; }
int32_t Tokenizer::unknown_token() const { return pipeline_->roles.unknown; }

int32_t Tokenizer::special_token(std::string_view content) const {
  return find_special(*pipeline_, {content});
}

std::vector<std::string> Tokenizer::special_tokens() const {
  std::vector<std::string> contents;
  for (const AddedToken& token : pipeline_->added_tokens) {
    if (token.special) contents.push_back(token.content);
  }
  return contents;
}

void Tokenizer::check_id(int32_t id) const {
  if (id >= 0 && id < vocab_size()) return;
  throw DataError(cat("token id ", id, " is not in the vocabulary of ", vocab_size(), " tokens"));
}

bool Tokenizer::is_special(int32_t id) const {
  check_id(id);
  const AddedToken* added = pipeline_->added_token(id);
  return added != nullptr && added->special;
}

bool Tokenizer::is_byte_level() const {
  return dynamic_cast<const ByteLevelDecoder*>(pipeline_->decoder.get()) != nullptr;
}

bool Tokenizer::continues_word(int32_t id) const {
  return !is_special(id) && pipeline_->decoder->continues_word(written_token(*pipeline_, id));
}

void Tokenizer::add_special_tokens(std::span<const int32_t> first, std::span<const int32_t> second,
                                   std::vector<int32_t>& ids,
                                   std::vector<int32_t>& type_ids) const {
  using Piece = PostProcessor::Piece;
  static const std::vector<Piece> plain_pair = {{Piece::Kind::kFirstText},
                                                {Piece::Kind::kSecondText, -1, 1}};
  const bool is_pair = !second.empty();
  const auto& pieces = is_pair ? pipeline_->post_processor.pair : pipeline_->post_processor.single;
  for (const Piece& piece : pieces.empty() ? plain_pair : pieces) {
    if (piece.kind == Piece::Kind::kToken) {
      ids.push_back(piece.token);
    } else {
      const auto& text = piece.kind == Piece::Kind::kFirstText ? first : second;
      ids.insert(ids.end(), text.begin(), text.end());
    }
    type_ids.resize(ids.size(), piece.type_id);
  }
}

// A safe place is between a letter or digit and a line break. There every pattern ends a word, and
// no normaliser combines characters across it. Added tokens that are always found
// may include white space.
std::string Tokenizer::normalized(std::string_view text) const {
  std::string storage;
  return std::string(pipeline_->normalizer->normalize(text, storage));
}

size_t Tokenizer::safe_cut(std::string_view text, size_t at) const {
  const bool finds_tokens =
      std::any_of(pipeline_->added_tokens.begin(), pipeline_->added_tokens.end(),
                  [](const AddedToken& token) { return !token.special; });
  if (finds_tokens) return text.size();
  const auto is_letter_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  for (size_t end = text.find('\n', std::max<size_t>(at, 1)); end != std::string_view::npos;
       end = text.find('\n', end + 1)) {
    if (is_letter_or_digit(text[end - 1])) return end;
  }
  return text.size();
}

void Tokenizer::encode(std::string_view text, std::vector<int32_t>& ids,
                       SpecialTokens special_tokens) const {
  for_words_and_tokens(
      *pipeline_, text, special_tokens,
      [&](std::span<const std::string_view> words, const char*) {
        for (const std::string_view word : words) pipeline_->model->encode_word(word, ids);
      },
      [&](int32_t id) { ids.push_back(id); });
}

std::string_view Tokenizer::token_text(int32_t id) const {
  check_id(id);
  const AddedToken* added = pipeline_->added_token(id);
  return added != nullptr ? added->content : pipeline_->texts[static_cast<size_t>(id)];
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool with_special_tokens) const {
  std::string text;
  bool is_first = true;
  for (const int32_t id : ids) {
    if (is_special(id) && !with_special_tokens) continue;
    if (is_first) {
      text += pipeline_->decoder->first_text(written_token(*pipeline_, id));
    } else {
      text += pipeline_->texts[static_cast<size_t>(id)];
    }
    is_first = false;
  }
  return text;
}

int64_t Tokenizer::token_num_bytes(int32_t id) const {
  return is_special(id) ? 0 : std::ssize(pipeline_->texts[static_cast<size_t>(id)]);
}

Tokenizer::Encoder::Encoder(const Tokenizer& tokenizer)
    : pipeline_(tokenizer.pipeline_), cache_(std::make_unique<WordCache>()) {}
Tokenizer::Encoder::~Encoder() = default;
Tokenizer::Encoder::Encoder(Encoder&&) noexcept = default;

void Tokenizer::Encoder::encode(std::string_view text, std::vector<int32_t>& ids,
                                SpecialTokens special_tokens) {
  for_words_and_tokens(
      *pipeline_, text, special_tokens,
      [&](std::span<const std::string_view> words, const char* text_end) {
        encode_words(words, text_end, ids);
      },
      [&](int32_t id) { ids.push_back(id); });
}

void Tokenizer::Encoder::encode_words(std::span<const std::string_view> words, const char* text_end,
                                      std::vector<int32_t>& ids) {
  // Reserves room for the ids of all words that may be cached, so that they are written unchecked.
  size_t size = ids.size();
  ids.resize(size + words.size() * WordCache::kMaxIds);
  for (const std::string_view word : words) {
    const bool cacheable = word.size() <= WordCache::kMaxWordBytes;
    const auto key = cacheable ? WordCache::key(word, text_end) : WordCache::Key{};
    const size_t num_known = cacheable ? cache_->find(key, ids.data() + size) : 0;
    size += num_known;
    if (num_known > 0) continue;
    new_ids_.clear();
    pipeline_->model->encode_word(word, new_ids_);
    if (cacheable) cache_->insert(key, new_ids_);
    ids.resize(ids.size() + (new_ids_.size() > WordCache::kMaxIds ? new_ids_.size() : 0));
    std::copy(new_ids_.begin(), new_ids_.end(), ids.begin() + static_cast<ptrdiff_t>(size));
    size += new_ids_.size();
  }
  ids.resize(size);
}

}  // namespace lmtrain

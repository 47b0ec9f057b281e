#include "data/tokenizer/added_tokens.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/tokenizer/unicode_tables.h"
#include "data/tokenizer/utf8_character.h"
#include "data/tokenizer/word_characters.h"

namespace lmtrain {

namespace {

Utf8Character character_at(std::string_view text, size_t begin) {
  return read_utf8(text.data() + begin, text.data() + text.size());
}

// Returns the character that ends at `end`, which must not be 0.
Utf8Character character_before(std::string_view text, size_t end) {
  for (uint32_t size = 1; size <= 4 && size <= end; ++size) {
    const Utf8Character character = read_utf8(text.data() + end - size, text.data() + end);
    if (character.code_point != Utf8Character::kInvalid && character.size == size) return character;
  }
  return {Utf8Character::kInvalid, 1};
}

bool is_space(const Utf8Character& character) {
  return character.code_point != Utf8Character::kInvalid &&
         character_class(character.code_point) == CharacterClass::kSpace;
}

bool is_word(const Utf8Character& character) {
  return holds(kWordCharacters, character.code_point);
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens,
                                   const std::vector<std::string>& contents)
    : tokens_(std::move(tokens)), trie_(contents) {
  for (const std::string& content : contents) begins_[static_cast<uint8_t>(content[0])] = true;
}

AddedTokenFinder::Match AddedTokenFinder::find(std::string_view text, size_t from) const {
  for (size_t begin = from; begin < text.size(); ++begin) {
    if (!begins_[static_cast<uint8_t>(text[begin])]) continue;
    Match match = {nullptr, begin, begin};
    uint32_t node = TokenTrie::kRoot;
    for (size_t at = begin; at < text.size();) {
      node = trie_.child(node, text[at++]);
      if (node == TokenTrie::kNoNode) break;
      if (trie_.token(node) == TokenTrie::kNoToken) continue;
      match = {&tokens_[static_cast<size_t>(trie_.token(node))], begin, at};
    }
    if (match.token != nullptr) return match;
  }
  return {nullptr, text.size(), text.size()};
}

bool AddedTokenFinder::is_where_it_may_be(std::string_view text, const Match& match) {
  if (!match.token->single_word) return true;
  if (match.begin > 0 && is_word(character_before(text, match.begin))) return false;
  return match.end == text.size() || !is_word(character_at(text, match.end));
}

size_t AddedTokenFinder::spaces_begin(std::string_view text, size_t end) {
  while (end > 0) {
    const Utf8Character character = character_before(text, end);
    if (!is_space(character)) break;
    end -= character.size;
  }
  return end;
}

size_t AddedTokenFinder::spaces_end(std::string_view text, size_t begin) {
  while (begin < text.size()) {
    const Utf8Character character = character_at(text, begin);
    if (!is_space(character)) break;
    begin += character.size;
  }
  return begin;
}

AddedTokenFinders make_added_token_finders(const std::vector<AddedToken>& tokens,
                                           const Normalizer& normalizer, const std::string& place) {
  std::array<std::vector<AddedToken>, 2> kinds;
  std::array<std::vector<std::string>, 2> contents;
  std::string storage;
  for (const AddedToken& token : tokens) {
    std::string_view content = token.content;
    if (token.normalized) content = normalizer.normalize(content, storage);
    if (content.empty()) {
      throw DataError(cat(place, ": ", show_text(token.content),
                          " is normalized, and nothing of it is left then"));
    }
    kinds[token.normalized].push_back(token);
    contents[token.normalized].emplace_back(content);
  }
  AddedTokenFinders finders = {{kinds[0], contents[0]}, {kinds[1], contents[1]}};
  finders.has_plain = std::ranges::count(tokens, false, &AddedToken::special) > 0;
  return finders;
}

}  // namespace lmtrain

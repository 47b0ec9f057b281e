#include "data/word_starts.h"

#include "base/utf8.h"
#include "data/tokenizer/unicode_tables.h"
#include "data/tokenizer/utf8_character.h"

namespace lmtrain {
namespace {

// The Unicode blocks of ideographs. Each ideograph is a word.
bool is_ideograph(uint32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3134F);
}

}  // namespace

WordStarts::WordStarts(const Tokenizer& tokenizer) {
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (tokenizer.is_special(id)) {
      edges_.emplace_back();
    } else if (tokenizer.is_byte_level()) {
      edges_.push_back(edges_of(tokenizer.token_text(id)));
    } else {
      const bool continues = tokenizer.continues_word(id);
      edges_.push_back({continues ? Edge::kContinuation : Edge::kApart, Edge::kApart});
    }
  }
}

WordStarts::Edges WordStarts::edges_of(std::string_view bytes) {
  if (bytes.empty()) return {};
  const auto edge = [](const Utf8Character& character) {
    if (character.code_point == Utf8Character::kInvalid) return Edge::kWithinCharacter;
    if (is_ideograph(character.code_point)) return Edge::kApart;
    const CharacterClass type = character_class(character.code_point);
    if (type == CharacterClass::kLetter) return Edge::kLetter;
    return type == CharacterClass::kNumber ? Edge::kNumber : Edge::kApart;
  };
  const char* const end = bytes.data() + bytes.size();
  Edges edges;
  edges.first =
      starts_character(bytes.front()) ? edge(read_utf8(bytes.data(), end)) : Edge::kContinuation;
  const char* last = end - 1;
  while (last > bytes.data() && !starts_character(*last)) --last;
  const Utf8Character character = read_utf8(last, end);
  const bool is_whole = last + character.size == end;
  edges.last = is_whole ? edge(character) : Edge::kWithinCharacter;
  return edges;
}

bool WordStarts::continues_word(int32_t previous, int32_t token) const {
  const Edge first = edges_[static_cast<size_t>(token)].first;
  if (first == Edge::kContinuation) return true;
  const Edge last = edges_[static_cast<size_t>(previous)].last;
  return first == last && (first == Edge::kLetter || first == Edge::kNumber);
}

}  // namespace lmtrain

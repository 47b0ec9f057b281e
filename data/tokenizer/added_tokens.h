// Tokens beside those of the model, which a text is searched for before anything else is done to
// it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/normalizer.h"
#include "data/tokenizer/token_trie.h"

namespace lmtrain {

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool single_word = false;  // found only where no word character is beside it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // takes the white space behind it along
  bool normalized = false;   // is looked for in the normalised text, in normalised form
  bool special = true;       // has a meaning instead of a text
};

// Finds some added tokens as the tokenizers package does: from left to right, the longest at a
// place.
class AddedTokenFinder {
 public:
  AddedTokenFinder() = default;
  // `contents` are what is looked for, one for each token; none is empty. Of equal ones the first
  // is found.
  AddedTokenFinder(std::vector<AddedToken> tokens, const std::vector<std::string>& contents);

  bool finds_nothing() const { return tokens_.empty(); }

  // Cuts a text where it finds tokens, special ones or not: calls use_text(part) and use_token(id).
  template <class UseText, class UseToken>
  void cut(std::string_view text, bool with_special, const UseText& use_text,
           const UseToken& use_token) const {
    size_t done = 0;
    for (size_t from = 0;;) {
      const Match match = find(text, from);
      if (match.token == nullptr) break;
      from = match.end;
      const AddedToken& token = *match.token;
      if ((token.special && !with_special) || !is_where_it_may_be(text, match)) continue;
      const size_t begin =
          token.lstrip ? std::max(done, spaces_begin(text, match.begin)) : match.begin;
      const size_t end = token.rstrip ? spaces_end(text, match.end) : match.end;
      if (begin > end) continue;  // the token before took all of it along
      if (begin > done) use_text(text.substr(done, begin - done));
      if (begin < end) use_token(token.id);
      done = end;
    }
    if (done < text.size()) use_text(text.substr(done));
  }

 private:
  struct Match {
    const AddedToken* token;  // or nullptr: there is none
    size_t begin;
    size_t end;
  };
  Match find(std::string_view text, size_t from) const;
  static bool is_where_it_may_be(std::string_view text, const Match& match);
  static size_t spaces_begin(std::string_view text, size_t end);
  static size_t spaces_end(std::string_view text, size_t begin);

  std::vector<AddedToken> tokens_;
  TokenTrie trie_ = TokenTrie({});
  std::array<bool, 256> begins_{};  // by the first byte of a content
};

// The two searches: in the text as it is, then in what lies between, normalised.
struct AddedTokenFinders {
  AddedTokenFinder raw;
  AddedTokenFinder normalized;
  bool has_plain = false;  // tokens that are not special, which are always looked for
};
// Throws DataError, which `place` opens, when nothing is left of a token's normal form.
AddedTokenFinders make_added_token_finders(const std::vector<AddedToken>& tokens,
                                           const Normalizer& normalizer, const std::string& place);

}  // namespace lmtrain

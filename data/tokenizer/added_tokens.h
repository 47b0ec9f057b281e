// Added tokens: tokens beside those of the model. A text is searched for them before the other
// stages see it.
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
  bool lstrip = false;       // includes the white space before it
  bool rstrip = false;       // includes the white space after it
  bool normalized = false;   // searched for in the normalised text, in normalised form
  bool special = true;       // has a meaning and stands for no text
};

// Finds added tokens as the tokenizers package does: from left to right, and the longest one at
// each place.
class AddedTokenFinder {
 public:
  AddedTokenFinder() = default;
  // `contents` are the texts to search for, one for each token; none may be empty. Of tokens with
  // equal contents the first is found.
  AddedTokenFinder(std::vector<AddedToken> tokens, const std::vector<std::string>& contents);

  bool finds_nothing() const { return tokens_.empty(); }

  // Splits a text at the tokens found and calls use_text(part) and use_token(id) in order. Special
  // tokens are found only when `with_special` is set.
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
      if (begin > end) continue;  // the token before it included all of it
      if (begin > done) use_text(text.substr(done, begin - done));
      if (begin < end) use_token(token.id);
      done = end;
    }
    if (done < text.size()) use_text(text.substr(done));
  }

 private:
  struct Match {
    const AddedToken* token;  // nullptr: nothing was found
    size_t begin;
    size_t end;
  };
  Match find(std::string_view text, size_t from) const;
  static bool is_where_it_may_be(std::string_view text, const Match& match);
  static size_t spaces_begin(std::string_view text, size_t end);
  static size_t spaces_end(std::string_view text, size_t begin);

  std::vector<AddedToken> tokens_;
  TokenTrie trie_ = TokenTrie({});
  std::array<bool, 256> begins_{};  // whether a content begins with this byte
};

// The two searches: `raw` in the text as it is, then `normalized` in the normalised parts between
// the tokens that `raw` found.
struct AddedTokenFinders {
  AddedTokenFinder raw;
  AddedTokenFinder normalized;
  bool has_plain = false;  // there are tokens that are not special; these are always searched for
};
// Throws DataError when the normalised form of a token is empty; the message begins with `place`.
AddedTokenFinders make_added_token_finders(const std::vector<AddedToken>& tokens,
                                           const Normalizer& normalizer, const std::string& place);

}  // namespace lmtrain

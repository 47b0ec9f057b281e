// Suggests what an unknown key, value or option was probably meant to be.
#pragma once

#include <string>
#include <vector>

#include "base/config_fields.h"

namespace lmtrain {

// Words that other programs use, and the names that lmtrain has for them. The words are not
// accepted as keys; the error about such a word suggests the names.
struct Synonyms {
  std::vector<std::string> words;  // "learning_rate"; case and "-" or "_" do not matter
  std::vector<std::string> names;  // "optimizer.lr" or "--seed"; several if the word sets them all
  std::string remark;              // what the names do not say; without names, what to do instead
};

// The row that holds `word` (which may begin with dashes), or null.
const Synonyms* find_synonyms(const std::vector<Synonyms>& synonyms, const std::string& word);

// Returns "did you mean 'a' or 'b'? (REMARK)"; without names the remark alone.
std::string suggestion_text(const std::vector<std::string>& names, const std::string& remark);

// Returns the end of a message about an unknown key: "did you mean 'train.steps'?", or a list of
// the section's keys. `prefix` is the dotted name of `section` with a trailing point,
// "" for the root.
std::string suggest_key(const Fields& root, const Fields& section, const std::string& prefix,
                        const std::string& key, const std::vector<Synonyms>& synonyms = {});

// Returns "; did you mean 'bf16'?", or "" when none of the choices is near `value`.
std::string suggest_choice(const std::vector<std::string>& choices, const std::string& value);

}  // namespace lmtrain

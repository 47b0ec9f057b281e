// What an unknown key, value or option was probably meant to be.
#pragma once

#include <string>
#include <vector>

#include "base/config_fields.h"

namespace lmtrain {

// Words of other programs and what they are called here. The words are not accepted: the error
// about one names what was meant.
struct Synonyms {
  std::vector<std::string> words;  // "learning_rate"; case and "-" or "_" do not matter
  std::vector<std::string> names;  // "optimizer.lr" or "--seed"; several where one word sets both
  std::string remark;              // what the names do not say, or, without names, what to do
};

// The row that holds `word` (which may begin with dashes), or null.
const Synonyms* find_synonyms(const std::vector<Synonyms>& synonyms, const std::string& word);

// "did you mean 'a' or 'b'? (REMARK)"; without names the remark alone.
std::string suggestion_text(const std::vector<std::string>& names, const std::string& remark);

// How a message about an unknown key ends: "did you mean 'train.steps'?", or the keys that the
// section has. `prefix` is the dotted name of `section` with its point, "" for the root.
std::string suggest_key(const Fields& root, const Fields& section, const std::string& prefix,
                        const std::string& key, const std::vector<Synonyms>& synonyms = {});

// "; did you mean 'bf16'?" for one of a few values, "" where none is near.
std::string suggest_choice(const std::vector<std::string>& choices, const std::string& value);

}  // namespace lmtrain

// What other trainers call the keys of the config. lmtrain reads only its own keys: the error about
// one of these words names the key that is meant.
#pragma once

#include <string>
#include <vector>

#include "base/config_suggestion.h"

namespace lmtrain {

// A row for each key that has other names; words that no key stands for say what to do instead.
const std::vector<Synonyms>& config_synonyms();

// What an option such as "--lr" or "--batch-size" would set. The names are the key that is called
// `word`, with or without its section, else those of the word's row; empty for other words.
Synonyms settings_called(const std::string& word);

}  // namespace lmtrain

// What an unknown key was probably meant to be.
#pragma once

#include <string>
#include <vector>

#include "base/config_fields.h"

namespace lmtrain {

// A sentence to end a message with: "did you mean 'train.steps'?", or the keys there are. `prefix`
// is the dotted name of `section` with its point, "" for the root.
std::string suggest_key(const Fields& root, const Fields& section, const std::string& prefix,
                        const std::string& key);

// The same for one of a few values.
std::string suggest_choice(const std::vector<std::string>& choices, const std::string& value);

}  // namespace lmtrain

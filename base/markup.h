// Text within XML and HTML.
#pragma once

#include <string>
#include <string_view>

namespace lmtrain {

// The text with its &, <, > and quotes escaped, for elements and attributes.
std::string markup_text(std::string_view text);

}  // namespace lmtrain

// The page that explains predictions: page.html, compiled in.
#pragma once

#include <string_view>

namespace lmtrain {

// The page with the text "@DATA@" where the explanations are to stand, as JSON.
std::string_view explanation_page_template();

}  // namespace lmtrain

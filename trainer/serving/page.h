// The page that the server shows at /: page.html, compiled in.
#pragma once

#include <string_view>

namespace lmtrain {

std::string_view server_page();

}  // namespace lmtrain

// Base64 as defined by RFC 4648, section 4.
#pragma once

#include <string>
#include <string_view>

namespace lmtrain {

std::string base64(std::string_view bytes);

}  // namespace lmtrain

#include "base/markup.h"

#include "base/utf8.h"

namespace lmtrain {

std::string markup_text(std::string_view text) {
  std::string result;
  // Names of files may hold any bytes.
  for (const char letter : shown_as_utf8(text)) {
    switch (letter) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += letter;
    }
  }
  return result;
}

}  // namespace lmtrain

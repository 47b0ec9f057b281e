#include "data/utf8_gate.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

namespace lmtrain {
namespace {

constexpr size_t kPlaces = 3;

size_t find_not_text(std::string_view text) {
  const size_t zero = text.find('\0');
  const size_t invalid = find_invalid_utf8(text.substr(0, zero));
  return zero == std::string_view::npos ? invalid : std::min(zero, invalid);
}

std::string what_is_wrong(std::string_view text, size_t at) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) return "the file is UTF-16";
  if (text[at] != '\0') return "invalid UTF-8";
  return "a zero byte, as in UTF-16 or a file that is not text";
}

}  // namespace

Utf8Gate::Verdict Utf8Gate::judge(std::string_view text, std::string& replaced,
                                  const std::function<std::string(size_t)>& place) {
  const size_t invalid = find_not_text(text);
  if (invalid == text.size()) return Verdict::kValid;
  const std::string problem = cat(place(invalid), ": ", what_is_wrong(text, invalid));
  if (policy_ != Utf8Policy::kError && first_places_.size() < kPlaces)
    first_places_.push_back(problem);
  switch (policy_) {
    case Utf8Policy::kReplace:
      ++num_replaced_;
      replaced = shown_as_utf8(text);
      for (size_t at = replaced.find('\0'); at != std::string::npos; at = replaced.find('\0', at))
        replaced.replace(at, 1, kReplacementCharacter);
      return Verdict::kReplaced;
    case Utf8Policy::kSkip:
      ++num_skipped_;
      return Verdict::kSkipped;
    case Utf8Policy::kError:
      break;
  }
  throw DataError(cat(problem,
                      "; convert the file (iconv -t UTF-8), take it out of data.sources, or set "
                      "data.utf8 to replace or skip"));
}

}  // namespace lmtrain

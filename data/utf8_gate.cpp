#include "data/utf8_gate.h"

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

namespace lmtrain {

Utf8Gate::Verdict Utf8Gate::judge(std::string_view text, std::string& replaced,
                                  const std::function<std::string(size_t)>& place) {
  const size_t invalid = find_invalid_utf8(text);
  if (invalid == text.size()) return Verdict::kValid;
  switch (policy_) {
    case Utf8Policy::kReplace:
      ++num_replaced_;
      replaced = shown_as_utf8(text);
      return Verdict::kReplaced;
    case Utf8Policy::kSkip:
      ++num_skipped_;
      return Verdict::kSkipped;
    case Utf8Policy::kError:
      break;
  }
  throw DataError(cat(place(invalid),
                      "; convert the file (iconv -t UTF-8), take it out of data.sources, or set "
                      "data.utf8 to replace or skip"));
}

}  // namespace lmtrain

// Applies data.utf8 to what is not text: invalid UTF-8, and zero bytes, which UTF-16 and binary
// files hold. Counts how often that happened.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/data_config.h"

namespace lmtrain {

class Utf8Gate {
 public:
  enum class Verdict { kValid, kReplaced, kSkipped };

  explicit Utf8Gate(Utf8Policy policy) : policy_(policy) {}

  // For kReplaced, `replaced` is the text with U+FFFD in place of each byte that is wrong.
  // Under Utf8Policy::kError throws DataError with the text of place(offset of the first such
  // byte), which names the file and the place.
  Verdict judge(std::string_view text, std::string& replaced,
                const std::function<std::string(size_t)>& place);

  int64_t num_replaced() const { return num_replaced_; }  // documents
  int64_t num_skipped() const { return num_skipped_; }
  // Of the first documents that were replaced or skipped, where and what was wrong.
  const std::vector<std::string>& first_places() const { return first_places_; }

 private:
  Utf8Policy policy_;
  int64_t num_replaced_ = 0;
  int64_t num_skipped_ = 0;
  std::vector<std::string> first_places_;
};

}  // namespace lmtrain

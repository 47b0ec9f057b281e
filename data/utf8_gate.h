// Applies data.utf8 to text that is not UTF-8, and counts how often that happened.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "data/data_config.h"

namespace lmtrain {

class Utf8Gate {
 public:
  enum class Verdict { kValid, kReplaced, kSkipped };

  explicit Utf8Gate(Utf8Policy policy) : policy_(policy) {}

  // For kReplaced, `replaced` is the text with U+FFFD in place of each byte that is not UTF-8.
  // Under Utf8Policy::kError throws DataError with the text of place(offset of the first such
  // byte), which names the file and the place.
  Verdict judge(std::string_view text, std::string& replaced,
                const std::function<std::string(size_t)>& place);

  int64_t num_replaced() const { return num_replaced_; }  // documents
  int64_t num_skipped() const { return num_skipped_; }

 private:
  Utf8Policy policy_;
  int64_t num_replaced_ = 0;
  int64_t num_skipped_ = 0;
};

}  // namespace lmtrain

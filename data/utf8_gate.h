// What becomes of text that is not UTF-8 (data.utf8), and how often it was.
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

  // kReplaced leaves the text with U+FFFD for each byte that is not UTF-8 in `replaced`. Under
  // kError throws the DataError of `place` (told the offset of the first such byte), which names
  // file and place.
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

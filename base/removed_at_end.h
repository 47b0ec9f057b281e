// A folder that is removed at the end of a block, whatever ends it.
#pragma once

#include <filesystem>
#include <system_error>
#include <utility>

namespace lmtrain {

// Removes the folder, if it is there by then; an empty path stands for none.
class RemovedAtEnd {
 public:
  explicit RemovedAtEnd(std::filesystem::path folder) : folder_(std::move(folder)) {}
  ~RemovedAtEnd() {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  RemovedAtEnd(const RemovedAtEnd&) = delete;
  RemovedAtEnd& operator=(const RemovedAtEnd&) = delete;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

}  // namespace lmtrain

#include "parallel/as_error.h"

#include <filesystem>
#include <new>

#include <c10/util/Exception.h>

#include "base/text.h"

namespace lmtrain {

Error as_error(const std::exception& error) {
  if (const auto* own = dynamic_cast<const Error*>(&error)) return *own;
  if (const auto* torch = dynamic_cast<const c10::Error*>(&error)) {
    return {ExitCode::kFailure, cat("LibTorch: ", torch->what_without_backtrace())};
  }
  if (dynamic_cast<const std::filesystem::filesystem_error*>(&error) != nullptr) {
    return {ExitCode::kIo, error.what()};
  }
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    return {ExitCode::kFailure, "out of memory; lower train.micro_batch_size or use more ranks"};
  }
  return {ExitCode::kFailure, error.what()};
}

}  // namespace lmtrain

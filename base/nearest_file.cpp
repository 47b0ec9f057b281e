#include "base/nearest_file.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace lmtrain {

namespace fs = std::filesystem;

std::string nearest_file(const fs::path& path) {
  constexpr size_t kMaxFiles = 10'000;
  const std::string name = path.filename().string();
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code unreadable;
    if (entry->is_regular_file(unreadable)) names.push_back(entry->path().filename().string());
    if (names.size() == kMaxFiles) break;
  }
  std::sort(names.begin(), names.end());  // the answer must not depend on the folder's order
  const std::string nearest = nearest_name(name, names);
  return nearest.empty() ? "" : (path.parent_path() / nearest).string();
}

}  // namespace lmtrain

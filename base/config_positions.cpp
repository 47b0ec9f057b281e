#include "base/config_positions.h"

namespace lmtrain {

void ConfigPositions::forget_below(const std::string& key) {
  std::erase_if(places_, [&](const auto& entry) { return entry.first.starts_with(key + "."); });
}

std::string ConfigPositions::at(const std::string& key) const {
  std::string name = key;
  while (true) {
    if (const auto found = places_.find(name); found != places_.end()) return found->second;
    const size_t point = name.rfind('.');
    if (point == std::string::npos) return "default";
    name.resize(point);
  }
}

}  // namespace lmtrain

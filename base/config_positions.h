// Where each key of a config was set, for messages about values that do not fit together.
#pragma once

#include <map>
#include <string>

namespace lmtrain {

class ConfigPositions {
 public:
  void set(const std::string& key, const std::string& place) { places_[key] = place; }
  // Forgets the keys below `key`, for a list whose elements are replaced.
  void forget_below(const std::string& key);

  // Returns "configs/x.yaml:12:5", "command line" or "default". A key within a list or section that
  // was given as one value has the place of that value.
  std::string at(const std::string& key) const;
  // Whether the key itself was given, and not only a list or section that contains it.
  bool is_set(const std::string& key) const { return places_.contains(key); }

 private:
  std::map<std::string, std::string> places_;
};

}  // namespace lmtrain

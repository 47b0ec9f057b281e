// Where each key of a config was set, for messages about values that do not fit together.
#pragma once

#include <map>
#include <string>

namespace lmtrain {

class ConfigPositions {
 public:
  void set(const std::string& key, const std::string& place) { places_[key] = place; }
  // Forgets what lies below `key`: the elements of a list that is replaced.
  void forget_below(const std::string& key);

  // "configs/x.yaml:12:5", "command line" or "default". A key within a value given whole has the
  // place of that value.
  std::string at(const std::string& key) const;
  // Whether this very key was given, not merely something that holds it.
  bool is_set(const std::string& key) const { return places_.contains(key); }

 private:
  std::map<std::string, std::string> places_;
};

}  // namespace lmtrain

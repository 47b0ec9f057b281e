#include "base/config_suggestion.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace lmtrain {
namespace {

// The comparison takes time and memory in the length of the name, and nobody mistypes so much.
constexpr size_t kMaxNameLength = 100;

struct KnownKey {
  std::string prefix;  // "train."
  std::string name;    // "steps"
};

void collect_keys(const Fields& fields, const std::string& prefix, std::vector<KnownKey>& keys) {
  for (const Field& field : fields.all()) {
    keys.push_back({prefix, field.key});
    if (const auto* section = std::get_if<SectionField>(&field.kind)) {
      collect_keys(*section->fields, prefix + field.key + ".", keys);
    }
  }
}

std::vector<std::string> names_of(const Fields& section) {
  std::vector<std::string> names;
  for (const Field& field : section.all()) names.push_back(field.key);
  return names;
}

// The dotted name of a key of another section that is called, or almost called, `key`.
std::string find_elsewhere(const std::vector<KnownKey>& keys, const std::string& key) {
  std::vector<std::string> names;
  for (const KnownKey& known : keys) names.push_back(known.name);
  const std::string nearest = nearest_name(key, names);
  if (nearest.empty()) return "";
  const KnownKey& found = keys[std::find(names.begin(), names.end(), nearest) - names.begin()];
  return found.prefix + found.name;
}

// The same for a key with points, which may be meant from the root or from its section.
std::string find_dotted(const std::vector<KnownKey>& keys, const std::string& prefix,
                        const std::string& key) {
  std::vector<std::string> dotted;
  for (const KnownKey& known : keys) dotted.push_back(known.prefix + known.name);
  const std::string from_root = nearest_name(key, dotted);
  return from_root.empty() ? nearest_name(prefix + key, dotted) : from_root;
}

// The known dotted name nearest to `key` (which may have points itself), "" when none is near.
std::string find_key(const Fields& root, const Fields& section, const std::string& prefix,
                     const std::string& key) {
  std::vector<KnownKey> keys;
  collect_keys(root, "", keys);
  const auto has_that_name = [&](const KnownKey& known) { return known.name == key; };
  const auto same_name = std::find_if(keys.begin(), keys.end(), has_that_name);
  if (same_name != keys.end()) return same_name->prefix + same_name->name;

  const std::string sibling = nearest_name(key, names_of(section));
  if (!sibling.empty()) return prefix + sibling;

  return key.find('.') == std::string::npos ? find_elsewhere(keys, key)
                                            : find_dotted(keys, prefix, key);
}

}  // namespace

std::string suggest_key(const Fields& root, const Fields& section, const std::string& prefix,
                        const std::string& key) {
  const std::string found = key.size() > kMaxNameLength ? "" : find_key(root, section, prefix, key);
  if (found == prefix + key) {  // a dotted name in a file
    const size_t point = found.rfind('.');
    return cat("write it as '", found.substr(point + 1), ":' under '", found.substr(0, point),
               ":'");
  }
  if (!found.empty()) return cat("did you mean '", found, "'?");
  return cat("known here: ", join(names_of(section), ", "));
}

std::string suggest_choice(const std::vector<std::string>& choices, const std::string& value) {
  const std::string nearest = value.size() > kMaxNameLength ? "" : nearest_name(value, choices);
  return nearest.empty() ? "" : cat("; did you mean '", nearest, "'?");
}

}  // namespace lmtrain

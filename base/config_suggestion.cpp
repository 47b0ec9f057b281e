#include "base/config_suggestion.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace lmtrain {
namespace {

// The comparison's time and memory grow with the length of the name; longer names are not compared.
constexpr size_t kMaxNameLength = 100;

using Names = std::vector<std::string>;

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

Names names_of(const Fields& section) {
  Names names;
  for (const Field& field : section.all()) names.push_back(field.key);
  return names;
}

// Makes different spellings equal: "--Max-New-Tokens" and "max_new_tokens" give the same word.
std::string plain_word(const std::string& word) {
  std::string plain;
  for (const char c : word.substr(std::min(word.size(), word.find_first_not_of('-')))) {
    plain += c == '-' ? '_' : c;
  }
  return in_lower_case(plain);
}

// Returns the names in the section `prefix`.
Names names_within(const Names& names, const std::string& prefix) {
  Names within;
  if (prefix.empty()) return within;
  for (const std::string& name : names) {
    if (name.starts_with(prefix)) within.push_back(name);
  }
  return within;
}

// What an unknown key may have meant: keys by their dotted names, and what they do not say.
struct Meaning {
  Names keys;
  std::string remark;
};

// Finds the meaning of one unknown key.
class Search {
 public:
  Search(const Fields& root, const Fields& section, const std::string& prefix,
         const std::string& key, const std::vector<Synonyms>& synonyms)
      : section_(section), prefix_(prefix), key_(key), synonyms_(synonyms) {
    collect_keys(root, "", known_);
    const size_t point = key.rfind('.');
    word_ = point == std::string::npos ? key : key.substr(point + 1);
    row_ = find_synonyms(synonyms, word_);
  }

  Meaning meaning() const {
    if (const std::string same = sibling_in_other_case(); !same.empty())
      return {{prefix_ + same}, ""};
    if (row_ != nullptr) {  // in `optimizer`, "name" is optimizer.kind although there is a run.name
      const Names here = names_within(row_->names, section_of_word());
      if (!here.empty()) return {here, row_->remark};
    }
    if (const std::string same = key_named(key_); !same.empty()) return {{same}, ""};
    if (row_ != nullptr && key_named(word_).empty()) return {row_->names, row_->remark};

    const std::string sibling = nearest_name(key_, names_of(section_));
    if (!sibling.empty()) return {{prefix_ + sibling}, ""};
    const std::string near = key_ == word_ ? find_elsewhere() : find_dotted();
    return near.empty() ? near_word() : Meaning{{near}, ""};
  }

 private:
  // Returns the section that `key` names, with its point; a mistyped section is corrected.
  std::string section_of_word() const {
    if (key_ == word_) return prefix_;
    Names sections;
    for (const KnownKey& known : known_) {
      const bool is_new = sections.empty() || sections.back() != known.prefix;
      if (!known.prefix.empty() && is_new) sections.push_back(known.prefix);
    }
    return nearest_name(prefix_ + key_.substr(0, key_.size() - word_.size()), sections);
  }

  // Returns the key of this section that differs in upper and lower case alone.
  std::string sibling_in_other_case() const {
    const Names names = names_of(section_);
    const auto found = std::find(names.begin(), names.end(), plain_word(key_));
    return found == names.end() ? "" : *found;
  }

  // Returns the dotted name of the first key that is called `name`.
  std::string key_named(const std::string& name) const {
    const auto has_that_name = [&](const KnownKey& known) { return known.name == name; };
    const auto found = std::find_if(known_.begin(), known_.end(), has_that_name);
    return found == known_.end() ? "" : found->prefix + found->name;
  }

  // Returns a key of another section whose name is near.
  std::string find_elsewhere() const {
    Names names;
    for (const KnownKey& known : known_) names.push_back(known.name);
    const std::string nearest = nearest_name(key_, names);
    return nearest.empty() ? "" : key_named(nearest);
  }

  // The same for a key with points, which may be relative to the root or to its section.
  std::string find_dotted() const {
    Names dotted;
    for (const KnownKey& known : known_) dotted.push_back(known.prefix + known.name);
    const std::string from_root = nearest_name(key_, dotted);
    return from_root.empty() ? nearest_name(prefix_ + key_, dotted) : from_root;
  }

  // Treats the key as a mistyped word of another program.
  Meaning near_word() const {
    Names words;
    for (const Synonyms& row : synonyms_) {
      words.insert(words.end(), row.words.begin(), row.words.end());
    }
    const Synonyms* const row = find_synonyms(synonyms_, nearest_name(plain_word(word_), words));
    return row == nullptr ? Meaning() : Meaning{row->names, row->remark};
  }

  std::vector<KnownKey> known_;
  const Fields& section_;
  const std::string& prefix_;
  const std::string& key_;  // as given; keys of the command line have points
  std::string word_;        // the part after the last point
  const std::vector<Synonyms>& synonyms_;
  const Synonyms* row_;  // the synonyms of the word, or null
};

}  // namespace

const Synonyms* find_synonyms(const std::vector<Synonyms>& synonyms, const std::string& word) {
  const std::string plain = plain_word(word);
  for (const Synonyms& row : synonyms) {
    if (std::count(row.words.begin(), row.words.end(), plain) > 0) return &row;
  }
  return nullptr;
}

std::string suggestion_text(const std::vector<std::string>& names, const std::string& remark) {
  if (names.empty()) return remark;
  return cat("did you mean '", join(names, "' or '"), "'?",
             remark.empty() ? "" : " (" + remark + ")");
}

std::string suggest_key(const Fields& root, const Fields& section, const std::string& prefix,
                        const std::string& key, const std::vector<Synonyms>& synonyms) {
  Meaning found;
  if (key.size() <= kMaxNameLength) {
    found = Search(root, section, prefix, key, synonyms).meaning();
  }
  if (found.keys == Names{prefix + key}) {  // a dotted name in a file
    const std::string& name = found.keys[0];
    const size_t point = name.rfind('.');
    return cat("write it as '", name.substr(point + 1), ":' under '", name.substr(0, point), ":'");
  }
  const std::string text = suggestion_text(found.keys, found.remark);
  return text.empty() ? cat("the keys here are ", join(names_of(section), ", ")) : text;
}

std::string suggest_choice(const std::vector<std::string>& choices, const std::string& value) {
  // What other programs call a choice, where the nearest spelling is another thing.
  static constexpr std::pair<std::string_view, std::string_view> kOtherNames[] = {
      {"gpu", "cuda"},      {"nvidia", "cuda"},  {"float32", "fp32"}, {"float", "fp32"},
      {"bfloat16", "bf16"}, {"float64", "fp64"}, {"double", "fp64"},  {"adam", "adamw"},
      {"llama2", "llama"},  {"llama3", "llama"}, {"qwen3", "llama"},  {"gpt", "gpt2"}};
  for (const auto& [name, choice] : kOtherNames) {
    if (value == name && std::ranges::find(choices, choice) != choices.end())
      return cat("; did you mean '", choice, "'?");
  }
  const std::string nearest = value.size() > kMaxNameLength ? "" : nearest_name(value, choices);
  return nearest.empty() ? "" : cat("; did you mean '", nearest, "'?");
}

}  // namespace lmtrain

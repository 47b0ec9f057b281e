// Values as text: Python's str() and repr(), and json.dumps.
#pragma once

#include <optional>
#include <string>

#include "data/chat/template_values.h"

namespace lmtrain {

// What Python's str() gives. Throws TemplateFault for values whose text has no meaning outside of
// Python, such as a generator's.
std::string printed(const TemplateValue& value, TemplateBudget& budget);
// The same within a list: texts are quoted.
std::string represented(const TemplateValue& value, TemplateBudget& budget);

struct JsonStyle {
  bool is_ascii_only = false;
  std::optional<std::string> indent;  // of one level; everything is on one line without it
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool has_sorted_keys = false;
};
std::string json_of(const TemplateValue& value, const JsonStyle& style, TemplateBudget& budget);

}  // namespace lmtrain

// The arguments of a call in a template, and their places by name.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/chat/template_values.h"

namespace lmtrain {

struct TemplateArguments {
  TemplateItems positional;
  std::vector<std::pair<std::string, TemplateValue>> keywords;
};

// The arguments of one call, in the order of the function's parameters.
class BoundArguments {
 public:
  // Throws TemplateFault for an argument too many, an unknown or a second one of a name, and where
  // one of the first `num_required` is missing. `what` names the function in messages.
  BoundArguments(std::string what, const TemplateArguments& arguments,
                 const std::vector<std::string>& names, size_t num_required);

  // The argument, or null where it was not given.
  const TemplateValue* find(size_t place) const {
    return values_[place] ? &*values_[place] : nullptr;
  }
  const TemplateValue& at(size_t place) const { return *values_[place]; }
  // The following throw where the argument has another type. None counts as not given.
  const std::string& text(size_t place) const;
  std::optional<std::string> optional_text(size_t place) const;
  int64_t integer(size_t place, int64_t when_absent) const;
  bool is_true(size_t place) const;

 private:
  [[noreturn]] void fail(size_t place, const std::string& expected) const;
  bool is_given(size_t place) const;

  std::string what_;
  std::vector<std::optional<TemplateValue>> values_;
};

}  // namespace lmtrain

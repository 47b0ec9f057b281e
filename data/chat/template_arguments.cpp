#include "data/chat/template_arguments.h"

#include <algorithm>

#include "base/text.h"

namespace lmtrain {

BoundArguments::BoundArguments(std::string what, const TemplateArguments& arguments,
                               const std::vector<std::string>& names, size_t num_required)
    : what_(std::move(what)), values_(names.size()) {
  if (arguments.positional.size() > names.size()) {
    throw TemplateFault(cat(what_, " takes at most ", names.size(), " arguments, not ",
                            arguments.positional.size()));
  }
  std::copy(arguments.positional.begin(), arguments.positional.end(), values_.begin());
  for (const auto& [name, value] : arguments.keywords) {
    const auto found = std::find(names.begin(), names.end(), name);
    const auto place = static_cast<size_t>(found - names.begin());
    if (found == names.end() || values_[place]) {
      throw TemplateFault(cat(what_, " does not take the argument '", name,
                              found == names.end() ? "'" : "' twice"));
    }
    values_[place] = value;
  }
  for (size_t place = 0; place < num_required; ++place) {
    if (!values_[place])
      throw TemplateFault(cat(what_, " needs the argument '", names[place], "'"));
  }
}

bool BoundArguments::is_given(size_t place) const {
  return values_[place] && !values_[place]->is<TemplateValue::None>();
}

const std::string& BoundArguments::text(size_t place) const {
  if (!values_[place] || values_[place]->text() == nullptr) fail(place, "a text");
  return *values_[place]->text();
}

std::optional<std::string> BoundArguments::optional_text(size_t place) const {
  return is_given(place) ? std::optional<std::string>(text(place)) : std::nullopt;
}

int64_t BoundArguments::integer(size_t place, int64_t when_absent) const {
  if (!values_[place]) return when_absent;
  const std::optional<int64_t> value = as_integer(*values_[place]);
  if (!value) fail(place, "an integer");
  return *value;
}

bool BoundArguments::is_true(size_t place) const {
  return values_[place] && lmtrain::is_true(*values_[place]);
}

void BoundArguments::fail(size_t place, const std::string& expected) const {
  if (values_[place]) require_defined(*values_[place]);
  throw TemplateFault(cat("argument ", place + 1, " of ", what_, " must be ", expected, ", is ",
                          values_[place] ? type_name(*values_[place]) : "missing"));
}

}  // namespace lmtrain

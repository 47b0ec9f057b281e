// The methods of Python's str and dict that templates may call.
#pragma once

#include <string>

#include "data/chat/template_arguments.h"

namespace lmtrain {

// Calls the method `name` of `owner`, which has it (template_attributes.h). Throws TemplateFault
// where Python raises.
TemplateValue call_method(const TemplateValue& owner, const std::string& name,
                          const TemplateArguments& arguments, TemplateBudget& budget);

// The items of a dict as tuples of key and value.
TemplateItems pairs_of(const TemplateDict& dict, TemplateBudget& budget);

// str.replace, which the filter `replace` shares.
TemplateValue replaced_text(const std::string& text, const std::string& old_text,
                            const std::string& new_text, int64_t limit, TemplateBudget& budget);

}  // namespace lmtrain

// Jinja's filters ("value | name(arguments)") and tests ("value is name(arguments)").
#pragma once

#include <string>
#include <string_view>

#include "data/chat/template_arguments.h"

namespace lmtrain {

bool has_template_filter(std::string_view name);
// Throws TemplateFault where Jinja raises, and for a name that is no filter.
TemplateValue apply_filter(const std::string& name, const TemplateValue& value,
                           const TemplateArguments& arguments, TemplateBudget& budget);

bool has_template_test(std::string_view name);
bool apply_test(const std::string& name, const TemplateValue& value,
                const TemplateArguments& arguments, TemplateBudget& budget);

// The filters map, select, reject, selectattr and rejectattr.
bool has_selecting_filter(std::string_view name);
TemplateValue apply_selecting_filter(const std::string& name, const TemplateValue& value,
                                     const TemplateArguments& arguments, TemplateBudget& budget);

// The filters sort and dictsort.
TemplateValue sorted_items(const TemplateValue& value, const TemplateArguments& arguments,
                           TemplateBudget& budget);
TemplateValue sorted_pairs(const TemplateValue& value, const TemplateArguments& arguments,
                           TemplateBudget& budget);

// The value at a path such as "function.name" or "items.0", which filters take as `attribute`.
TemplateValue value_at_path(const TemplateValue& value, const TemplateItems& path,
                            TemplateBudget& budget);
TemplateItems path_of(const TemplateValue& attribute, TemplateBudget& budget);

}  // namespace lmtrain

// Python's operators on the values of a template.
#pragma once

#include <string>

#include "data/chat/template_values.h"

namespace lmtrain {

// `name` is one of + - * / // %. Throws TemplateFault where Python raises, and where an integer
// would need more than 64 bits.
TemplateValue calculate(const std::string& name, const TemplateValue& left,
                        const TemplateValue& right, TemplateBudget& budget);
TemplateValue negated(const TemplateValue& value);
// Unary plus, which makes an integer of a boolean.
TemplateValue as_is(const TemplateValue& value);

// `name` is one of == != < > <= >= in, "not in".
bool compare(const std::string& name, const TemplateValue& left, const TemplateValue& right,
             TemplateBudget& budget);
bool equal(const TemplateValue& left, const TemplateValue& right, TemplateBudget& budget);
bool less(const TemplateValue& left, const TemplateValue& right, TemplateBudget& budget);
bool contains(const TemplateValue& container, const TemplateValue& value, TemplateBudget& budget);

}  // namespace lmtrain

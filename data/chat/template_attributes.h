// What `value.name`, `value[key]` and `value[a:b]` are in a template, by the rules of Jinja's
// sandbox.
#pragma once

#include <string>

#include "data/chat/template_values.h"

namespace lmtrain {

// `value.name`: a method first, then a key of that name; undefined where there is neither. Throws
// TemplateFault where the value is undefined, and for a method of Python's that is not covered.
TemplateValue attribute_of(const TemplateValue& value, const std::string& name,
                           TemplateBudget& budget);

// `value[key]`: an item first, then a method or attribute where the key is a text.
TemplateValue item_of(const TemplateValue& value, const TemplateValue& key, TemplateBudget& budget);

// A bound may be None.
struct SliceBounds {
  TemplateValue begin, end, step;
};
TemplateValue slice_of(const TemplateValue& value, const SliceBounds& bounds,
                       TemplateBudget& budget);

}  // namespace lmtrain

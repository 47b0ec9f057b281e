// The functions that a chat template may call without a value before them: range, dict, namespace
// of Jinja, raise_exception and strftime_now of transformers.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "data/chat/template_arguments.h"

namespace lmtrain {

class TemplateFunctions {
 public:
  explicit TemplateFunctions(TemplateBudget& budget) : budget_(budget) {}

  static bool has(std::string_view name);
  TemplateValue call(const std::string& name, const TemplateArguments& arguments);

 private:
  TemplateValue make_namespace(const TemplateArguments& arguments);

  TemplateBudget& budget_;
  // All of them live as long as the rendering, because they may hold one another.
  std::deque<TemplateNamespace> namespaces_;
};

// Sets an attribute. Throws TemplateFault for names that transformers refuses.
void set_attribute(TemplateNamespace& name_space, const std::string& name, TemplateValue value);

}  // namespace lmtrain

// Parses a chat template.
#pragma once

#include <string_view>

#include "data/chat/template_nodes.h"

namespace lmtrain {

// Throws TemplateFault with the line for what is not Jinja, or is not covered by lmtrain.
TemplateBody parse_template(std::string_view source);

}  // namespace lmtrain

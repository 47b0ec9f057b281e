// Where the names of a template have their values.
#pragma once

#include "data/chat/template_nodes.h"

namespace lmtrain {

// Fills in the hidden names of the template and of every body in it that has variables of its own.
// Jinja decides before it renders whether a name is a variable of the template: a name that a body
// sets before it reads it is undefined until it is set, in the bodies within as well, though the
// chat may have a variable of that name. Throws TemplateFault for the names of macros' extra
// arguments.
void find_hidden_names(TemplateBody& whole);

}  // namespace lmtrain

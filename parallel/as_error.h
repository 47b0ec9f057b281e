// What LibTorch and the standard library throw, as an Error with a line that a person can read.
#pragma once

#include <exception>

#include "base/error.h"

namespace lmtrain {

Error as_error(const std::exception& error);

}  // namespace lmtrain

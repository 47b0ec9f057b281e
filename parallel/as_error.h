// Turns exceptions of LibTorch and the standard library into an Error with one readable line.
#pragma once

#include <exception>

#include "base/error.h"

namespace lmtrain {

Error as_error(const std::exception& error);

}  // namespace lmtrain

// What a path that does not exist was probably meant to be.
#pragma once

#include <filesystem>
#include <string>

namespace lmtrain {

// The file of the same folder whose name is nearest to that of `path`, as "FOLDER/NAME"; "" where
// none is near or the folder cannot be read. Throws nothing.
std::string nearest_file(const std::filesystem::path& path);

}  // namespace lmtrain

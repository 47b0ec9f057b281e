// Suggests which file was meant by a path that does not exist.
#pragma once

#include <filesystem>
#include <string>

namespace lmtrain {

// Returns the file in the same folder whose name is nearest to that of `path`, as "FOLDER/NAME", or
// "" when no name is near or the folder cannot be read. Throws nothing.
std::string nearest_file(const std::filesystem::path& path);

}  // namespace lmtrain

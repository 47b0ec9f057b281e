// Tables for people to read in a terminal.
#pragma once

#include <string>
#include <vector>

namespace lmtrain {

// One line for each row, with two spaces between columns that are as wide as their widest cell.
// All rows have as many cells as the first.
std::vector<std::string> table_lines(const std::vector<std::vector<std::string>>& rows);

}  // namespace lmtrain

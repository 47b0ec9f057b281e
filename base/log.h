// Rank-aware logging. Only log.cpp includes spdlog, because spdlog's fmt collides with LibTorch's
// when both are in one translation unit.
#pragma once

#include <string>
#include <string_view>

namespace lmtrain {

// Tells the log its rank. A rank other than 0 drops its info lines, and names its rank in its
// warnings and errors.
void set_log_rank(int rank);

// Appends every further line to this file too (rank 0's log.txt), after the lines logged before
// this call. Throws IoError when the file cannot be opened.
void open_log_file(const std::string& path);

void log_info(std::string_view message);
void log_warn(std::string_view message);
void log_error(std::string_view message);

// Redraws one line at the bottom of a terminal, at most five times a second; the next log line
// replaces it, and an empty one removes it. Of a line that is too wide for the terminal the last
// fields are left out; two spaces stand between fields. Does nothing when standard error is not a
// terminal.
void show_progress_line(std::string_view line);
// The beginning of `line` that fits into so many columns, cut between fields where there are some.
std::string_view fit_fields(std::string_view line, size_t columns);
bool progress_line_is_live();

}  // namespace lmtrain

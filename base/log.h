// Rank-aware logging, a thin front so that only log.cpp sees spdlog (its fmt collides with
// LibTorch's when both are in one translation unit).
#pragma once

#include <string>
#include <string_view>

namespace lmtrain {

// Who speaks: every line of a rank other than 0 names its rank. Info lines of other ranks are
// dropped; warnings and errors of all ranks are kept.
void set_log_rank(int rank);

// Also append every line to this file (rank 0's log.txt), those before this call first. Throws
// IoError when it cannot be opened.
void open_log_file(const std::string& path);

void log_info(std::string_view message);
void log_warn(std::string_view message);
void log_error(std::string_view message);

// Redraws one line at the bottom of a terminal; the next log line replaces it. Does nothing when
// standard error is not a terminal.
void show_progress_line(std::string_view line);
bool progress_line_is_live();

}  // namespace lmtrain

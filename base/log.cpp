#include "base/log.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>

#include <fcntl.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/phase.h"
#include "base/text.h"

namespace lmtrain {
namespace {

// The terminal that a person watches, or "" when there is none. mpirun forwards what ranks write
// through a pipe; then mpirun's own standard error counts.
std::string watched_terminal() {
  if (std::getenv("SLURM_JOB_ID") != nullptr) return "";
  if (isatty(STDERR_FILENO) != 0) return cat("/proc/self/fd/", STDERR_FILENO);
  if (std::getenv("OMPI_COMM_WORLD_RANK") == nullptr) return "";
  const std::string of_mpirun = cat("/proc/", getppid(), "/fd/", STDERR_FILENO);
  std::error_code error;
  const std::string target = std::filesystem::read_symlink(of_mpirun, error).string();
  if (error || !(target.starts_with("/dev/pts/") || target.starts_with("/dev/tty"))) return "";
  return target;
}

// The width of a terminal, 80 where it cannot be asked for it. Asked each time, because people
// resize windows.
size_t columns_of(const std::string& terminal) {
  winsize size = {};
  const int descriptor = open(terminal.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC);
  if (descriptor < 0) return 80;
  const bool is_known = ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  close(descriptor);
  return is_known ? size.ws_col : 80;
}

constexpr double kSecondsBetweenLines = 0.2;

// Writes log lines to standard error and keeps the progress line below them.
class TerminalSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void show_progress(std::string_view line) {
    if (!live()) return;
    const std::lock_guard lock(mutex_);
    const double now = monotonic_seconds();
    if (!line.empty() && progress_shown_ && now - shown_at_ < kSecondsBetweenLines) return;
    shown_at_ = now;
    // The last column stays free: a character there makes some terminals begin a new line.
    line = fit_fields(line, columns_of(terminal_) - 1);
    std::fprintf(stderr, "\r\033[K%.*s", static_cast<int>(line.size()), line.data());
    std::fflush(stderr);
    progress_shown_ = !line.empty();
  }

  bool live() const { return !terminal_.empty(); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (progress_shown_) std::fputs("\r\033[K", stderr);
    progress_shown_ = false;
    std::fwrite(line.data(), 1, line.size(), stderr);
  }
  void flush_() override { std::fflush(stderr); }

 private:
  const std::string terminal_ = watched_terminal();
  bool progress_shown_ = false;
  double shown_at_ = 0;
};

constexpr size_t kMaxEarlyLines = 1000;

struct Logging {
  std::shared_ptr<TerminalSink> terminal = std::make_shared<TerminalSink>();
  std::shared_ptr<spdlog::logger> logger = std::make_shared<spdlog::logger>("lmtrain", terminal);
  int rank = 0;
  // Lines logged so far; a log file that is opened later begins with them.
  std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> early =
      std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(kMaxEarlyLines);

  Logging() {
    logger->sinks().push_back(early);
    logger->set_pattern("%H:%M:%S %^%l%$ %v");
    logger->flush_on(spdlog::level::info);
  }
};

// The one piece of process-wide state of the project: where log lines go.
Logging& logging() {
  static Logging instance;
  return instance;
}

void write(spdlog::level::level_enum level, std::string_view message) {
  Logging& log = logging();
  if (log.rank == 0) {
    log.logger->log(level, message);
  } else {
    log.logger->log(level, cat("rank ", log.rank, ": ", message));
  }
}

}  // namespace

void set_log_rank(int rank) { logging().rank = rank; }

void open_log_file(const std::string& path) {
  require_own_file(path);
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    sink->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    Logging& log = logging();
    for (const auto& line : log.early->last_raw()) sink->log(line);
    log.logger->sinks() = {log.terminal, sink};
  } catch (const spdlog::spdlog_ex& error) {
    throw IoError(cat("cannot open the log file ", path, ": ", error.what()));
  }
}

void log_info(std::string_view message) {
  if (logging().rank == 0) write(spdlog::level::info, message);
}
void log_warn(std::string_view message) { write(spdlog::level::warn, message); }
void log_error(std::string_view message) { write(spdlog::level::err, message); }

std::string_view fit_fields(std::string_view line, size_t columns) {
  if (line.size() <= columns) return line;
  const size_t cut = line.substr(0, columns + 2).rfind("  ");
  return line.substr(0, cut == std::string_view::npos || cut == 0 ? columns : cut);
}

void show_progress_line(std::string_view line) {
  if (logging().rank == 0) logging().terminal->show_progress(line);
}
bool progress_line_is_live() { return logging().terminal->live(); }

}  // namespace lmtrain

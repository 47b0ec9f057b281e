#include "base/log.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"

namespace lmtrain {
namespace {

// Whether standard error is a terminal. mpirun forwards what ranks write through a pipe; then
// mpirun's own standard error counts.
bool is_watched() {
  if (std::getenv("SLURM_JOB_ID") != nullptr) return false;
  if (isatty(STDERR_FILENO) != 0) return true;
  if (std::getenv("OMPI_COMM_WORLD_RANK") == nullptr) return false;
  std::error_code error;
  const auto target =
      std::filesystem::read_symlink(cat("/proc/", getppid(), "/fd/", STDERR_FILENO), error);
  return !error &&
         (target.string().starts_with("/dev/pts/") || target.string().starts_with("/dev/tty"));
}

// Writes log lines to standard error and keeps the progress line below them.
class TerminalSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  TerminalSink() : live_(is_watched()) {}

  void show_progress(std::string_view line) {
    if (!live_) return;
    const std::lock_guard lock(mutex_);
    std::fprintf(stderr, "\r\033[K%.*s", static_cast<int>(line.size()), line.data());
    std::fflush(stderr);
    progress_shown_ = !line.empty();
  }

  bool live() const { return live_; }

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
  const bool live_;
  bool progress_shown_ = false;
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

void show_progress_line(std::string_view line) {
  if (logging().rank == 0) logging().terminal->show_progress(line);
}
bool progress_line_is_live() { return logging().terminal->live(); }

}  // namespace lmtrain

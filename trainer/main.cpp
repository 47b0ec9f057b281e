// The program: collects the commands, runs the one that is asked for, and is where errors end.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string_view>

#include <poll.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "parallel/as_error.h"
#include "trainer/commands/command_line.h"
#include "trainer/commands/rank_job.h"

namespace {

using namespace lmtrain;

// Prints what is asked for, or runs it. Throws.
ExitCode run(const CommandLine& line) {
  Program program;
  try {
    const Request request = program.parse(line);
    if (request.command != nullptr) return request.command->run(line);
    (request.code == ExitCode::kDone ? std::cout : std::cerr) << request.text;
    return request.code;
  } catch (const UsageError& error) {
    // Where mpirun gave all ranks this command line, one of them says what is wrong with it.
    return run_as_rank([&](Launch& launch) {
      launch.together([&] { throw error; });
      return error.code();
    });
  }
}

ExitCode report(const std::exception& error) {
  const Error own = as_error(error);
  log_error(own.what());
  return own.code();
}

ExitCode run_and_report(const CommandLine& line) {
  try {
    return run(line);
  } catch (const std::exception& error) {
    return report(error);
  }
}

bool reader_is_gone() {
  pollfd output = {STDOUT_FILENO, POLLOUT, 0};
  return poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

// A command whose output could not be written whole has failed, whatever it did.
ExitCode with_output_written(ExitCode code) {
  errno = 0;
  std::cout.flush();
  const bool is_written = std::cout.good() && std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (is_written || code != ExitCode::kDone) return code;
  if (reader_is_gone()) return ExitCode::kIo;  // it has what it wanted (`| head -1`)
  log_error(cat("standard output could not be written",
                errno == 0 ? "" : cat(": ", std::strerror(errno))));
  return ExitCode::kIo;
}

// A batch system may ask a job to stop (SIGUSR1) while the libraries are still being initialised,
// which takes a good part of a second. The system's own action would end the process with 138, as
// if it had crashed. `train` takes the signal over later.
void on_early_request(int) {
  constexpr std::string_view kLine = "stopped on request before anything was begun\n";
  [[maybe_unused]] const ssize_t ignored = write(STDERR_FILENO, kLine.data(), kLine.size());
  _exit(static_cast<int>(ExitCode::kStopped));
}

void expect_early_requests(int, char**, char**) { std::signal(SIGUSR1, on_early_request); }

// What stands here runs before the initialisers of all libraries (System V ABI, DT_PREINIT_ARRAY).
[[gnu::used,
  gnu::section(".preinit_array")]] void (*const kBeforeAll)(int, char**,
                                                            char**) = expect_early_requests;

}  // namespace

int main(int argc, char** argv) {
  // Writing then fails with a reason instead of ending the process: at the end of a pipe
  // (`| head -1`), and at a limit on the size of files.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return static_cast<int>(with_output_written(run_and_report(CommandLine(argv, argv + argc))));
  } catch (const std::exception& error) {  // of the reporting itself: the log cannot be written
    std::fputs(error.what(), stderr);
    return static_cast<int>(ExitCode::kFailure);
  }
}

// The program: collects the commands, runs the one that is asked for, and is where errors end.
#include <cstdio>
#include <iostream>

#include "base/error.h"
#include "base/log.h"
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

}  // namespace

int main(int argc, char** argv) {
  try {
    return static_cast<int>(run_and_report(CommandLine(argv, argv + argc)));
  } catch (const std::exception& error) {  // of the reporting itself: the log cannot be written
    std::fputs(error.what(), stderr);
    return static_cast<int>(ExitCode::kFailure);
  }
}

// Errors of lmtrain: what went wrong, where, what to do, and the exit code of the process.
#pragma once

#include <stdexcept>
#include <string>

namespace lmtrain {

// Exit codes of the program. Where sysexits.h has a code for the case, that code is used.
enum class ExitCode : int {
  kDone = 0,
  kFailure = 1,      // anything else: a library's error, memory, a defect
  kConfig = 64,      // a config file, key or command line is wrong
  kData = 65,        // input text, tokenizer or token file is wrong
  kCheckpoint = 66,  // no usable checkpoint
  kNumeric = 70,     // loss or gradient is not finite
  kHeld = 73,        // another job holds the run's folder
  kIo = 74,          // a file could not be written or read
  kStopped = 75,     // stopped on request, after a save
  kHang = 76,        // a rank stopped making progress
};

// Base of every error that carries an exit code. The message is one line a person can act on.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

struct ConfigError : Error {
  explicit ConfigError(const std::string& message) : Error(ExitCode::kConfig, message) {}
};
struct DataError : Error {
  explicit DataError(const std::string& message) : Error(ExitCode::kData, message) {}
};
struct CheckpointError : Error {
  explicit CheckpointError(const std::string& message) : Error(ExitCode::kCheckpoint, message) {}
};
struct IoError : Error {
  explicit IoError(const std::string& message) : Error(ExitCode::kIo, message) {}
};

// An error that every rank of the job throws at the same point, so that all ranks can exit in
// order. When one rank alone throws an error, it must end the other ranks with Launch::abort.
struct CollectiveError : Error {
  using Error::Error;
};

}  // namespace lmtrain

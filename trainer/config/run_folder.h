// The folder of a run, DIR/NAME, and the paths of what it holds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lmtrain {

struct RunFolder {
  std::filesystem::path path;

  std::filesystem::path config() const { return path / "config.yaml"; }     // resolved
  std::filesystem::path metrics() const { return path / "metrics.jsonl"; }  // a line per step
  std::filesystem::path log() const { return path / "log.txt"; }
  std::filesystem::path provenance() const {
    return path / "provenance.json";
  }                                                                    // who, where, from what
  std::filesystem::path facts() const { return path / "facts.json"; }  // for the report
  std::filesystem::path summary() const {
    return path / "summary.json";
  }  // there once the run has finished
  std::filesystem::path checkpoints() const { return path / "checkpoints"; }
  std::filesystem::path energy() const { return path / "energy"; }  // a ledger per rank
  std::filesystem::path traces() const { return path / "trace"; }   // a file per rank
  std::filesystem::path emissions() const { return path / "emissions.json"; }
  std::filesystem::path report() const { return path / "report.md"; }
};

// Holds a run's folder for this job while it lives, so that no second job writes in it.
class HeldFolder {
 public:
  // Makes the folder and those of checkpoints and energy. Throws Error with ExitCode::kHeld when
  // another job holds it, and IoError. A file system without locks is no reason to stop, but to
  // warn.
  explicit HeldFolder(const RunFolder& folder);
  // A job that came to nothing leaves no folder behind that was not there before.
  ~HeldFolder();
  // Throws IoError where the folder's path does not lead to it any more, because somebody has moved
  // or removed it: what is written by the path then is lost to the run.
  void require_in_place() const;
  // A number that only this job knows, and that its other ranks find in the folder.
  int64_t token() const { return token_; }
  // Throws ConfigError where this host does not see the folder that rank 0 holds.
  static void require_same(const RunFolder& folder, int64_t token, const std::string& host);

  HeldFolder(const HeldFolder&) = delete;
  HeldFolder& operator=(const HeldFolder&) = delete;

 private:
  void take();
  void leave() noexcept;
  void write_token() const;

  const RunFolder folder_;
  std::vector<std::filesystem::path> made_;  // by this job, the innermost first
  const int64_t token_;
  int file_ = -1;
  int itself_ = -1;  // the folder: a lock that stays when somebody deletes the file
};

}  // namespace lmtrain

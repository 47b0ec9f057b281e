// The folder of a run, DIR/NAME, and the paths of what it holds.
#pragma once

#include <filesystem>

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
  std::filesystem::path ending() const {
    return path / "ending.json";
  }                                                              // how the last attempt ended
  std::filesystem::path lock() const { return path / ".lock"; }  // while a job is writing
  std::filesystem::path checkpoints() const { return path / "checkpoints"; }
  std::filesystem::path energy() const { return path / "energy"; }  // a ledger per rank
  // What Slurm has measured of the run's jobs, by `lmtrain report --slurm`.
  std::filesystem::path batch_energy() const { return energy() / "sacct.txt"; }
  std::filesystem::path traces() const { return path / "trace"; }  // a file per rank
  std::filesystem::path emissions() const { return path / "emissions.json"; }
  std::filesystem::path report() const { return path / "report.md"; }
  std::filesystem::path page() const { return path / "report.html"; }
  // When to start a run again that gave its machines back (energy.schedule.mode = stop).
  std::filesystem::path resume_at() const { return path / "resume_at"; }
  // A plan is there before the run, beside its folder: DIR/NAME.plan.json. Attempts copy it.
  std::filesystem::path plan() const { return (path / "").parent_path() += ".plan.json"; }
  std::filesystem::path kept_plan() const { return path / "plan.json"; }
};

}  // namespace lmtrain

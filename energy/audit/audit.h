// Checks published numbers of a training run against each other, against hardware and against any
// grid. What it refuses cannot be true; what it doubts may be, but needs a reason.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "energy/audit/published_run.h"

namespace lmtrain {

struct AuditFinding {
  bool is_impossible = false;  // else it is doubtful
  std::string text;
};

struct Audit {
  std::vector<AuditFinding> findings;
  std::string remark;  // what could not be checked, and why; "" for nothing
  int num_checks = 0;  // for which there were numbers; 0: nothing could be checked
  // What follows from the numbers, where it does.
  std::optional<double> kwh;
  std::optional<double> watts_per_device;
  std::optional<double> g_per_kwh;
  std::optional<double> mfu;  // 0 to 1, of the data sheet's dense peak

  bool is_impossible() const;
};

Audit audit(const PublishedRun& run);

}  // namespace lmtrain

// How much of a node is in use, by this job and by all others. On a node that several jobs share,
// the sensors see all of them; the report gives a job its part (docs/energy.md).
#pragma once

#include <filesystem>
#include <optional>

#include "base/system_file.h"

namespace lmtrain {

// Of the whole node.
struct NodeUse {
  double busy_cpu_seconds = 0.0;  // of all processors since boot
  double memory_bytes = 0.0;      // in use now
};

class NodeUseReader {
 public:
  explicit NodeUseReader(const std::filesystem::path& procfs);

  // Nothing where PROCFS/stat or PROCFS/meminfo cannot be read.
  std::optional<NodeUse> read();

 private:
  ProcFile stat_;
  ProcFile meminfo_;
};

}  // namespace lmtrain

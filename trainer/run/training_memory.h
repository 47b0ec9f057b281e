// How much memory training took, said once beside what was computed before.
#pragma once

#include <cstdint>
#include <optional>

#include <c10/core/Device.h>

#include "base/memory_watch.h"
#include "parallel/launch.h"

namespace lmtrain {

class TrainingMemory {
 public:
  // Watches from now on.
  explicit TrainingMemory(at::Device device);

  // Collective. The first call logs the most that any rank took up to now, and ends the watch:
  // a save's files take memory of their own.
  void note_once(int64_t computed_bytes, Launch& launch);

 private:
  at::Device device_;
  std::optional<MemoryWatch> watch_;  // on the CPU, until it is noted
  bool is_noted_ = false;
};

}  // namespace lmtrain

// The loop of a run: advances the steps and does between them what is due, which is to validate, to
// evaluate tasks, to compare replicas and to save. The step itself is trainer/step/trainer.cpp.
#pragma once

#include <memory>

#include "base/error.h"
#include "base/phase.h"
#include "base/trace.h"
#include "parallel/launch.h"
#include "parallel/mesh.h"
#include "trainer/checkpoint/checkpoint_saver.h"
#include "trainer/run/deadline.h"
#include "trainer/run/run_beginning.h"
#include "trainer/run/run_recorder.h"
#include "trainer/run/save_schedule.h"
#include "trainer/run/training_memory.h"
#include "trainer/step/trainer.h"

namespace lmtrain {

// The groups that the ranks train in, and what they record of it where the config wants a trace.
struct TrainingGroups {
  // `before` is the trace of an attempt before in this process, or null.
  TrainingGroups(const Job& job, std::shared_ptr<Trace> before, PhaseTracker& phases,
                 Launch& launch);

  std::unique_ptr<Communicator> device_world;  // null on the CPU
  std::shared_ptr<Trace> trace;                // null without one
  Mesh mesh;
};

// What the loop works with; all of it outlives the loop.
struct LoopParts {
  const RunBeginning& beginning;
  TrainingGroups& groups;
  Trainer& trainer;
  TrainingMemory& memory;
  RunRecorder& recorder;
  CheckpointSaver& saver;
  SaveSchedule& schedule;
  Deadline& deadline;
  PhaseTracker& phases;
  Launch& launch;
};

struct LoopEnd {
  ExitCode code = ExitCode::kDone;  // of the process
  bool has_finished = false;        // whether the run has done all its steps
};

// Collective. From the run's start point to its last step, the samples and the report; or, where it
// is asked to stop, to a save. Throws RollBack where a spike demands it, CollectiveError for what
// all ranks know of, and Error, which names the step, for what only this rank does.
LoopEnd run_training_loop(const LoopParts& parts);

}  // namespace lmtrain

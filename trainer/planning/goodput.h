// What failures and checkpoints cost a run, by a model: failures come at random (exponentially
// distributed), and saves at equal distances.
#pragma once

namespace lmtrain {

// All in seconds.
struct FailureModel {
  double mtbf = 0;     // mean time between two failures of the job
  double stall = 0;    // training stands still for a save
  double persist = 0;  // until a save counts, from its beginning
  double detect = 0;   // from a failure to the end of the job
  double restart = 0;  // from there to the first step
};

// Shares of the job's time; they add up to 1.
struct Goodput {
  double useful = 0;  // steps that count
  double stalled = 0;
  double repeated = 0;    // steps that are computed again
  double restarting = 0;  // failures found, the job started again
};

// With a save in each `interval` seconds of training. A run that loses more than it gains, because
// failures come faster than saves, has 0 useful time.
Goodput expected_goodput(const FailureModel& model, double interval);

}  // namespace lmtrain

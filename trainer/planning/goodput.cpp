#include "trainer/planning/goodput.h"

#include <algorithm>
#include <cmath>

namespace lmtrain {

Goodput expected_goodput(const FailureModel& model, double interval) {
  // One cycle: from a start to the failure that ends it, and to the next start.
  const double cycle = model.mtbf + model.detect + model.restart;
  const double distance = interval + model.stall;
  // The mean time since the last save began, at a failure; exponential failures know no past.
  const double since_save = model.mtbf - distance / std::expm1(distance / model.mtbf);
  const double lost = std::min(model.mtbf, since_save + model.persist);
  const double stalled_share = model.stall / distance;
  Goodput goodput;
  goodput.useful = (model.mtbf - lost) * (1 - stalled_share) / cycle;
  goodput.stalled = model.mtbf * stalled_share / cycle;
  goodput.repeated = lost * (1 - stalled_share) / cycle;
  goodput.restarting = (model.detect + model.restart) / cycle;
  return goodput;
}

}  // namespace lmtrain

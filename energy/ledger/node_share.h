// The part of a node's energy that belongs to one job. Sensors of processors, memory and whole
// nodes see every job of the node. A job that shares its node is given the part of the processors'
// energy that it used of their busy time, and of the memory's energy what it used of the memory in
// use; the energy of the whole node is the high end of the interval. GPUs belong to one job.
#pragma once

#include "energy/ledger/totals.h"

namespace lmtrain {

struct NodeShare {
  double cpu = 1.0;
  double memory = 1.0;

  bool is_whole() const { return cpu >= 1.0 && memory >= 1.0; }
};

// What a job used of a node, and what was used of it in all.
struct NodeWork {
  double job_cpu_seconds = 0.0;
  double node_cpu_seconds = 0.0;  // 0: not known
  double job_byte_seconds = 0.0;
  double node_byte_seconds = 0.0;
};

// The whole node where the job did nearly all that was done there, or where nothing is known.
NodeShare node_share(const NodeWork& work);
// The part that is the job's of a sensor of this kind.
double share_of(const NodeShare& share, DeviceKind kind);

// What the attempt has used so far, taking it that the job's other ranks on the node use as much as
// this one.
NodeWork work_of(const EnergyTotals& totals);

// The share of the last second or two: of what a span of time has cost, earlier work of others says
// nothing. The system counts in hundredths of a second, which is too coarse for less.
class RecentShare {
 public:
  // `work` up to `seconds`, both from the same start on.
  NodeShare at(double seconds, const NodeWork& work);

 private:
  struct Mark {
    double seconds = 0.0;
    NodeWork work;
  };
  Mark older_;
  Mark newer_;
};

// Takes from the energies of `totals` the job's part. The high ends stay those of the node.
void take_share(EnergyTotals& totals, const NodeShare& share);

}  // namespace lmtrain

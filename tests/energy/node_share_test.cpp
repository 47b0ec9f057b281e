#include "energy/ledger/node_share.h"

#include <vector>

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: what another job did while this one was idle makes later work of this one nearly free.
TEST(RecentShare, ForgetsWhatWasDoneLongBefore) {
  RecentShare recent;
  NodeWork work{.job_cpu_seconds = 5.0, .node_cpu_seconds = 3605.0};
  EXPECT_NEAR(recent.at(3600.0, work).cpu, 5.0 / 3605.0, 1e-12);
  double seconds = 3600.0;
  // The shares that are seen from 2.5 s on of ten seconds, looked at ten times a second, in which
  // the job takes so much of 0.4 CPU seconds of the node.
  const auto look_on = [&](double job_cpu_seconds) {
    std::vector<double> shares;
    for (int look = 1; look <= 100; ++look) {
      seconds += 0.1;
      work.job_cpu_seconds += job_cpu_seconds;
      work.node_cpu_seconds += 0.4;
      const double share = recent.at(seconds, work).cpu;
      if (look > 25) shares.push_back(share);
    }
    return shares;
  };
  for (const double share : look_on(0.4)) EXPECT_EQ(share, 1.0);  // it has the node to itself
  for (const double share : look_on(0.1)) EXPECT_NEAR(share, 0.25, 1e-9);  // another job begins
}

// Defect: a look after a moment in which the coarse clock of the system has not moved decides
// alone.
TEST(RecentShare, IsOfASecondAtTheLeast) {
  RecentShare recent;
  NodeWork work;
  double seconds = 0.0;
  for (int look = 1; look <= 30; ++look) {
    seconds += 0.1;
    work.job_cpu_seconds += 0.05;
    work.node_cpu_seconds += 0.2;
    recent.at(seconds, work);
  }
  work.job_cpu_seconds += 0.001;
  EXPECT_NEAR(recent.at(seconds + 0.001, work).cpu, 0.25, 0.01);
}

// Defect: a GPU, which belongs to one job, is shared; or memory by the processors' share.
TEST(NodeShare, IsByKindOfDevice) {
  const NodeShare share = node_share({.job_cpu_seconds = 1.0,
                                      .node_cpu_seconds = 4.0,
                                      .job_byte_seconds = 1.0,
                                      .node_byte_seconds = 10.0});
  EXPECT_EQ(share_of(share, DeviceKind::kCpu), 0.25);
  EXPECT_EQ(share_of(share, DeviceKind::kMemory), 0.1);
  EXPECT_EQ(share_of(share, DeviceKind::kGpu), 1.0);
}

}  // namespace
}  // namespace lmtrain

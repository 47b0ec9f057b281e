#include "energy/node_share.h"

#include <gtest/gtest.h>

namespace lmtrain {
namespace {

// Defect: what another job did while this one was idle makes later work of this one nearly free.
TEST(RecentShare, ForgetsWhatWasDoneLongBefore) {
  RecentShare recent;
  NodeWork work{.job_cpu_seconds = 5.0, .node_cpu_seconds = 3605.0};
  EXPECT_NEAR(recent.at(3600.0, work).cpu, 5.0 / 3605.0, 1e-12);
  // Now it has the node to itself; a span of ten seconds, looked at ten times a second.
  double seconds = 3600.0;
  for (int look = 1; look <= 100; ++look) {
    seconds += 0.1;
    work.job_cpu_seconds += 0.4;
    work.node_cpu_seconds += 0.4;
    const NodeShare share = recent.at(seconds, work);
    if (look <= 25) continue;
    EXPECT_EQ(share.cpu, 1.0) << "look " << look;
  }
  // Another job begins.
  for (int look = 1; look <= 100; ++look) {
    seconds += 0.1;
    work.job_cpu_seconds += 0.1;
    work.node_cpu_seconds += 0.4;
    const NodeShare share = recent.at(seconds, work);
    if (look <= 25) continue;
    EXPECT_NEAR(share.cpu, 0.25, 1e-9) << "look " << look;
  }
}

// Defect: a look after a moment in which the coarse clock of the system has not moved decides alone.
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

// A group that finds the place where its ranks stop doing the same. Before each collective the
// ranks tell one another what they are about to do, through a group of the same ranks for CPU
// tensors, and only ranks that agree go on. Without this a mismatch is a hang, or numbers that are
// silently wrong. Slow: every collective waits for the slowest rank.
//
// What is compared: operation, type and number of elements, root or kind of reduction, number in
// the group. Where ranks differ, each throws the same Error, which tells what two of them are at.
// Messages from rank to rank are not compared.
#pragma once

#include <memory>
#include <string>

#include "parallel/communicator.h"

namespace lmtrain {

// `host` is used for nothing else; `axis` is `group`'s. A group of one rank comes back as it is.
// What is split from a checked group is checked.
std::unique_ptr<Communicator> make_checked_communicator(std::unique_ptr<Communicator> group,
                                                        std::unique_ptr<Communicator> host,
                                                        const std::string& axis);

// The name of such a `host`.
std::string axis_of_checks(const std::string& axis);

}  // namespace lmtrain

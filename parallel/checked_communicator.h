// A group that finds the place where its ranks stop doing the same. Before each collective, the
// ranks tell one another what they are about to do, through a group of the same ranks for CPU
// tensors; they go on only if they agree. Without this check, a mismatch is a hang or silently
// wrong numbers. It is slow: every collective waits for the slowest rank.
//
// The ranks compare the operation, the type and number of elements, the root or kind of reduction,
// and the operation's number in the group. Where ranks differ, each throws the same Error, which
// names what two of them are about to do. Messages from rank to rank are not compared.
#pragma once

#include <memory>
#include <string>

#include "parallel/communicator.h"

namespace lmtrain {

// Makes a checked group. `host` must serve nothing else; `axis` is the name of `group`'s axis. A
// group of one rank is returned unchanged. Groups that are split from a checked group are checked
// too.
std::unique_ptr<Communicator> make_checked_communicator(std::unique_ptr<Communicator> group,
                                                        std::unique_ptr<Communicator> host,
                                                        const std::string& axis);

// Returns the axis name of such a `host`.
std::string axis_of_checks(const std::string& axis);

}  // namespace lmtrain

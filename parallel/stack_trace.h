// Where another thread of this process stands.
#pragma once

#include <string>

#include <pthread.h>

namespace lmtrain {

// To be called once, before a thread is asked: loads what a trace needs, and takes a signal for it.
void prepare_stack_traces();

// Returns the calls of a thread, innermost first, a line each; or what the system says of it where
// the thread does not answer within a second, as one that waits for a disk does not.
std::string stack_trace_of(pthread_t thread, int thread_id);

}  // namespace lmtrain

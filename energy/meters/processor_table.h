// Design powers of processors by the makers' data sheets; the tables are compiled in.
#pragma once

#include <string>
#include <vector>

namespace lmtrain {

struct KnownProcessor {
  std::string name;  // as it stands in "model name" of /proc/cpuinfo
  double watts;      // thermal design power of one processor
  int cores;
  int threads;
};
const std::vector<KnownProcessor>& known_processors();

// What is assumed of a processor of a family whose model is not known.
struct ProcessorFamily {
  std::string pattern;  // ECMAScript, found anywhere in the model's name, in any case
  double watts_per_core;
  int threads_per_core;
  double max_watts;  // of one processor: no known one of the family has more
};
// From the particular to the general: the first that fits counts.
const std::vector<ProcessorFamily>& processor_families();

}  // namespace lmtrain

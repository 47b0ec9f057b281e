// What the kinds of tasks share.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/strict_json.h"
#include "models/decoder.h"
#include "trainer/evaluation/tasks.h"

namespace lmtrain {

// Calls `read` with the object of each line, at most options.limit of them, and its number among
// the items. Keys that it does not read are left alone, since such files carry notes. Throws
// DataError where there is none.
void read_items(const TaskConfig& options, const std::function<void(JsonObject&)>& read);

// Throws ConfigError naming the task where the model is no decoder with a language head.
const Decoder& decoder_for(const TaskModel& model, TaskKind kind);

// Tokens of a text behind the model's start token, where it has one.
std::vector<int32_t> tokens_of(const TaskModel& model, const std::string& text);

// A share of many with its 95% interval by the percentile bootstrap (Efron, 1979) over items that
// count as 0, 0.5 or 1.
struct Share {
  double value = 0;
  double low = 0;
  double high = 0;
};
Share bootstrapped(const std::vector<double>& items);

// sqrt(p (1 - p) / (n - 1)), as lm-evaluation-harness states it; 0 for one item.
double standard_error(double share, size_t count);

}  // namespace lmtrain

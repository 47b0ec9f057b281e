#include "trainer/evaluation/task_support.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/philox.h"
#include "base/text.h"
#include "trainer/inference/text_file.h"

namespace lmtrain {

void read_items(const TaskConfig& options, const std::function<void(JsonObject&)>& read) {
  int64_t num_items = 0;
  read_json_lines(options.path, [&](JsonObject& object) {
    read(object);
    return ++num_items != options.limit;  // a limit of 0 is never reached
  });
  if (num_items == 0) throw DataError(cat(options.path, " holds no items"));
}

const Decoder& decoder_for(const TaskModel& model, TaskKind kind) {
  const ModelConfig& config = model.model.config();
  const auto* const decoder = dynamic_cast<const Decoder*>(&model.model);
  if (decoder != nullptr && config.has_language_head()) return *decoder;
  throw ConfigError(
      cat("task ", name_of(kind), " is for models that predict the next token, and this is a ",
          config.kind, " with model.head = ", config.head,
          decoder == nullptr && config.has_language_head() ? "; task pairs is for it, too" : ""));
}

std::vector<int32_t> tokens_of(const TaskModel& model, const std::string& text) {
  std::vector<int32_t> tokens;
  if (model.start_token >= 0) tokens.push_back(model.start_token);
  model.tokenizer.encode(text, tokens);
  return tokens;
}

Share bootstrapped(const std::vector<double>& items) {
  constexpr size_t kResamples = 10000;
  const PhiloxKey key = purpose_key(/*seed=*/1, "bootstrap");
  const auto mean = [&](const auto& item_at) {
    double sum = 0;
    for (size_t i = 0; i < items.size(); ++i) sum += items[item_at(i)];
    return sum / static_cast<double>(items.size());
  };
  std::vector<double> means;
  for (size_t r = 0; r < kResamples; ++r) {
    means.push_back(mean([&](size_t i) {
      const double uniform = uniform_number(key, r * items.size() + i);
      return static_cast<size_t>(uniform * static_cast<double>(items.size()));
    }));
  }
  std::ranges::sort(means);
  const auto quantile = [&](double q) { return means[static_cast<size_t>(q * (kResamples - 1))]; };
  return {mean([](size_t i) { return i; }), quantile(0.025), quantile(0.975)};
}

double standard_error(double share, size_t count) {
  if (count < 2) return 0;
  return std::sqrt(share * (1 - share) / static_cast<double>(count - 1));
}

}  // namespace lmtrain

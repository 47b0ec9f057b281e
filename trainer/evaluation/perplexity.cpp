// How well a decoder predicts long texts: each token given those before it in its window. Windows
// overlap, so that few tokens are predicted from little, and each token counts once.
#include <algorithm>
#include <cmath>
#include <numbers>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/text.h"
#include "trainer/evaluation/task_support.h"
#include "trainer/inference/score.h"

namespace lmtrain {
namespace {

constexpr size_t kWindowsAtOnce = 4;

struct Sums {
  double log_probability = 0;
  int64_t num_tokens = 0;
  int64_t num_bytes = 0;

  double perplexity() const { return std::exp(-log_probability / static_cast<double>(num_tokens)); }
};

// A file of .jsonl holds a text in the "text" of each line, any other file is one text.
std::vector<std::string> texts_in(const TaskConfig& options) {
  std::vector<std::string> texts;
  if (!options.path.ends_with(".jsonl")) {
    texts.push_back(read_file(options.path));
    if (texts[0].empty()) throw DataError(cat(options.path, " is empty"));
    return texts;
  }
  read_items(options, [&](JsonObject& item) { texts.push_back(item.text("text")); });
  return texts;
}

// The windows of a text: each has at most `window` tokens and begins `stride` behind the one
// before.
std::vector<TextToScore> windows_of(const std::vector<int32_t>& tokens, size_t window,
                                    size_t stride) {
  std::vector<TextToScore> windows;
  size_t scored = 1;  // the first token has nothing before it
  for (size_t begin = 0; scored < tokens.size(); begin += stride) {
    const size_t end = std::min(begin + window, tokens.size());
    if (end <= scored) continue;
    windows.push_back({{tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                        tokens.begin() + static_cast<std::ptrdiff_t>(end)},
                       scored - begin});
    scored = end;
  }
  return windows;
}

}  // namespace

TaskResult evaluate_perplexity(const TaskModel& model, const TaskConfig& options,
                               const ItemListener& listener) {
  const Decoder& decoder = decoder_for(model, options.task);
  const int64_t positions = decoder.config().max_positions;
  const int64_t window = options.window == 0 ? positions : options.window;
  const int64_t stride = options.stride == 0 ? std::max<int64_t>(1, window / 2) : options.stride;
  if (window < 2 || window > positions)
    throw ConfigError(cat("a window of ", window, " tokens: the model holds 2 to ", positions));
  if (stride >= window) {
    throw ConfigError(cat("a stride of ", stride, " tokens must be shorter than the window of ",
                          window, ", or tokens would count that have nothing before them"));
  }
  if (options.limit > 0 && !options.path.ends_with(".jsonl"))
    throw ConfigError(
        cat("a limit of items is for files of .jsonl, and ", options.path, " is one text"));
  const std::vector<std::string> texts = texts_in(options);
  Sums all;
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::vector<int32_t> tokens = tokens_of(model, texts[i]);
    const std::vector<TextToScore> windows =
        windows_of(tokens, static_cast<size_t>(window), static_cast<size_t>(stride));
    Sums own;
    own.num_bytes = static_cast<int64_t>(texts[i].size());
    for (size_t at = 0; at < windows.size(); at += kWindowsAtOnce) {
      const std::span<const TextToScore> part =
          std::span(windows).subspan(at, std::min(kWindowsAtOnce, windows.size() - at));
      for (const auto& scored :
           score_texts(decoder, part, {model.tokenizer.vocab_size(), 0, model.device})) {
        for (const ScoredToken& token : scored) own.log_probability += token.log_probability;
        own.num_tokens += static_cast<int64_t>(scored.size());
      }
      const bool is_last = at + part.size() == windows.size();
      if (listener && texts.size() == 1 && !is_last)
        listener(at + part.size(), windows.size(), nullptr);
    }
    all.log_probability += own.log_probability;
    all.num_tokens += own.num_tokens;
    all.num_bytes += own.num_bytes;
    if (listener) {
      listener(i + 1, texts.size(),
               {{"tokens", own.num_tokens}, {"log_probability", own.log_probability}});
    }
  }
  if (all.num_tokens == 0)
    throw DataError(cat(options.path, " holds no token that others precede"));
  TaskResult result;
  const double bits_per_byte =
      -all.log_probability / std::numbers::ln2 / static_cast<double>(all.num_bytes);
  result.numbers = {{"texts", texts.size()},
                    {"tokens", all.num_tokens},
                    {"bytes", all.num_bytes},
                    {"window", window},
                    {"stride", stride},
                    {"loss", -all.log_probability / static_cast<double>(all.num_tokens)},
                    {"perplexity", all.perplexity()},
                    {"bits_per_byte", bits_per_byte}};
  result.measure = "bits_per_byte";
  result.value = bits_per_byte;
  result.lower_is_better = true;
  return result;
}

}  // namespace lmtrain

#include "data/most_frequent_token.h"

#include <algorithm>
#include <vector>

namespace lmtrain {
namespace {

constexpr int64_t kTokensAtOnce = int64_t{1} << 20;

int64_t most_frequent_token(const TokenFile& file, const Tokenizer& tokenizer,
                            const std::function<void()>& pause) {
  std::vector<int64_t> counts(static_cast<size_t>(tokenizer.vocab_size()));
  std::vector<int32_t> tokens;
  for (int64_t at = 0; at < file.num_tokens(); at += kTokensAtOnce) {
    if (pause) pause();
    tokens.resize(static_cast<size_t>(std::min(kTokensAtOnce, file.num_tokens() - at)));
    file.read(at, tokens);
    for (const int32_t token : tokens) ++counts[static_cast<size_t>(token)];
  }
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (tokenizer.is_special(id)) counts[static_cast<size_t>(id)] = 0;
  }
  return std::max_element(counts.begin(), counts.end()) - counts.begin();
}

}  // namespace

double most_frequent_token_accuracy(const TokenFile& train, const Tokenizer& tokenizer,
                                    const Loader& loader,
                                    std::span<const int64_t> global_sample_indices,
                                    const std::function<void()>& pause) {
  const int64_t guess = most_frequent_token(train, tokenizer, pause);
  int64_t num_targets = 0;
  int64_t num_correct = 0;
  for (const int64_t index : global_sample_indices) {
    if (pause) pause();
    const Batch batch = loader.load(std::span(&index, 1));
    for (size_t i = 0; i < batch.labels.size(); ++i) {
      if (batch.weights[i] == 0.0F) continue;
      ++num_targets;
      num_correct += batch.labels[i] == guess ? 1 : 0;
    }
  }
  return static_cast<double>(num_correct) / static_cast<double>(std::max<int64_t>(1, num_targets));
}

}  // namespace lmtrain

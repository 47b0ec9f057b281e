#include "data/masking.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace lmtrain {
namespace {

constexpr double kMaskShare = 0.8;
constexpr double kRandomShare = 0.1;

// Positions that are chosen together: [begin, end).
struct Word {
  size_t begin;
  size_t end;
};

std::vector<Word> words_of(std::span<const MaskRole> roles, bool whole_words) {
  std::vector<Word> words;
  for (size_t i = 0; i < roles.size(); ++i) {
    if (roles[i] == MaskRole::kNever) continue;
    const bool joins =
        whole_words && roles[i] == MaskRole::kWordRest && !words.empty() && words.back().end == i;
    if (joins) {
      ++words.back().end;
    } else {
      words.push_back({i, i + 1});
    }
  }
  return words;
}

size_t num_targets(const MaskingConfig& config, size_t length) {
  const auto wanted =
      static_cast<int64_t>(std::llround(config.fraction * static_cast<double>(length)));
  const int64_t most = config.max_predictions == 0 ? wanted : config.max_predictions;
  return static_cast<size_t>(std::min(std::max<int64_t>(1, wanted), std::max<int64_t>(1, most)));
}

int64_t replacement(const MaskingRule& rule, int64_t token, UniformStream& draws) {
  const double kind = draws.next();
  if (kind < kMaskShare) return rule.mask_token;
  return kind < kMaskShare + kRandomShare ? draws.below(rule.num_tokens) : token;
}

}  // namespace

void mask_tokens(const MaskingRule& rule, std::span<const MaskRole> roles, UniformStream& draws,
                 std::span<int64_t> ids, std::span<int64_t> labels, std::span<float> weights) {
  std::vector<Word> words = words_of(roles, rule.config.whole_words);
  const size_t wanted = num_targets(rule.config, roles.size());
  size_t chosen = 0;
  // The words are taken in the order of a Fisher-Yates shuffle, which stops when there are enough.
  for (size_t i = 0; i < words.size() && chosen < wanted; ++i) {
    const auto rest = static_cast<int64_t>(words.size() - i);
    std::swap(words[i], words[i + static_cast<size_t>(draws.below(rest))]);
    const size_t size = words[i].end - words[i].begin;
    if (chosen + size > wanted) continue;
    chosen += size;
    for (size_t at = words[i].begin; at < words[i].end; ++at) {
      labels[at] = ids[at];
      weights[at] = 1.0F;
      ids[at] = replacement(rule, ids[at], draws);
    }
  }
}

}  // namespace lmtrain

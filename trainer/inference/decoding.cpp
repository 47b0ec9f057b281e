#include "trainer/inference/decoding.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <ATen/ATen.h>

#include "base/philox.h"

namespace lmtrain {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();

void penalise_repetition(double penalty, const std::vector<int32_t>& tokens,
                         std::vector<double>& logits) {
  for (const int32_t token : std::set<int32_t>(tokens.begin(), tokens.end())) {
    double& logit = logits[static_cast<size_t>(token)];
    logit = logit < 0 ? logit * penalty : logit / penalty;
  }
}

// Bans each token that would complete an n-gram which has come before.
void ban_repeated_ngrams(size_t n, const std::vector<int32_t>& tokens,
                         std::vector<double>& logits) {
  if (tokens.size() + 1 < n) return;
  const auto prefix = tokens.end() - static_cast<std::ptrdiff_t>(n - 1);
  for (size_t i = 0; i + n <= tokens.size(); ++i) {
    const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::equal(prefix, tokens.end(), begin))
      logits[static_cast<size_t>(tokens[i + n - 1])] = kNever;
  }
}

// Orders tokens from the likeliest on, and equally likely ones by their ids.
struct Likelier {
  const std::vector<double>& logits;
  bool operator()(int32_t a, int32_t b) const {
    const double x = logits[static_cast<size_t>(a)];
    const double y = logits[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  }
};

// Returns the k likeliest tokens and those that tie with the last of them, likeliest first. A k of
// 0 returns all.
std::vector<int32_t> likeliest(const std::vector<double>& logits, int64_t k) {
  double least = kNever;
  if (k > 0 && k < static_cast<int64_t>(logits.size())) {
    std::vector<double> values = logits;
    std::ranges::nth_element(values, values.begin() + (k - 1), std::greater());
    least = values[static_cast<size_t>(k - 1)];
  }
  std::vector<int32_t> tokens;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] >= least) tokens.push_back(static_cast<int32_t>(i));
  }
  std::ranges::sort(tokens, Likelier{logits});
  return tokens;
}

}  // namespace

void process_logits(const DecodingOptions& options, const std::vector<int32_t>& tokens,
                    size_t num_prompt_tokens, std::vector<double>& logits) {
  for (const auto& [token, bias] : options.logit_bias) logits[static_cast<size_t>(token)] += bias;
  if (options.repetition_penalty != 1.0)
    penalise_repetition(options.repetition_penalty, tokens, logits);
  if (options.presence_penalty != 0.0 || options.frequency_penalty != 0.0) {
    std::map<int32_t, int64_t> counts;
    for (size_t i = num_prompt_tokens; i < tokens.size(); ++i) ++counts[tokens[i]];
    for (const auto& [token, count] : counts) {
      logits[static_cast<size_t>(token)] -=
          options.presence_penalty + options.frequency_penalty * static_cast<double>(count);
    }
  }
  if (options.no_repeat_ngram_size > 0)
    ban_repeated_ngrams(static_cast<size_t>(options.no_repeat_ngram_size), tokens, logits);
  const auto num_new = static_cast<int64_t>(tokens.size() - num_prompt_tokens);
  if (num_new < options.min_new_tokens) {
    for (const int32_t token : options.end_tokens) logits[static_cast<size_t>(token)] = kNever;
  }
}

int32_t sample_token(const std::vector<double>& logits, const DecodingOptions& options,
                     double uniform) {
  if (options.temperature == 0.0) {
    const auto largest = std::ranges::max_element(logits);  // the first of equal ones
    return static_cast<int32_t>(largest - logits.begin());
  }
  const std::vector<int32_t> order = likeliest(logits, options.top_k);
  const double largest = logits[static_cast<size_t>(order[0])];
  std::vector<double> weights;
  double total = 0;
  for (const int32_t token : order) {
    weights.push_back(
        std::exp((logits[static_cast<size_t>(token)] - largest) / options.temperature));
    total += weights.back();
  }
  double kept = 0;
  size_t count = 0;
  while (count < weights.size() && (count == 0 || kept < options.top_p * total) &&
         weights[count] >= options.min_p)
    kept += weights[count++];

  double target = uniform * kept;
  for (size_t i = 0; i + 1 < count; ++i) {
    target -= weights[i];
    if (target < 0) return order[i];
  }
  return order[count - 1];
}

ChosenToken choose_token(const at::Tensor& logits, const DecodingOptions& options,
                         const std::vector<int32_t>& tokens, size_t num_prompt_tokens) {
  const at::Tensor wide = logits.to(at::kDouble).cpu().contiguous();
  const double* const data = wide.data_ptr<double>();
  std::vector<double> processed(data, data + wide.numel());
  const std::vector<int32_t> best =
      options.num_top > 0 ? likeliest(processed, options.num_top) : std::vector<int32_t>();
  const double log_sum = wide.logsumexp(0).item<double>();
  process_logits(options, tokens, num_prompt_tokens, processed);
  const PhiloxKey key = purpose_key(options.seed, "sample");
  const double uniform = uniform_number(key, tokens.size() - num_prompt_tokens);
  const int32_t token = sample_token(processed, options, uniform);
  ChosenToken chosen{token, data[token] - log_sum, {}};
  for (size_t i = 0; i < best.size() && static_cast<int64_t>(i) < options.num_top; ++i)
    chosen.top.push_back({best[i], data[best[i]] - log_sum});
  return chosen;
}

}  // namespace lmtrain

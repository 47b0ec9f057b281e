#include "trainer/inference/score.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "models/functions.h"

namespace lmtrain {
namespace {

constexpr int64_t kRowsAtOnce = 128;  // of log-probabilities, which are as wide as the vocabulary
constexpr int64_t kCopiesAtOnce = 16;

at::Tensor ids_of(std::span<const int32_t> tokens) {
  return at::tensor(std::vector<int64_t>(tokens.begin(), tokens.end()), at::kLong);
}

at::Tensor padded_ids(std::span<const TextToScore> texts, int64_t multiple_of_rows) {
  size_t longest = 2;
  for (const TextToScore& text : texts) longest = std::max(longest, text.tokens.size());
  const auto samples = static_cast<int64_t>(texts.size());
  int64_t positions = static_cast<int64_t>(longest) - 1;
  while (samples * positions % multiple_of_rows != 0) ++positions;
  at::Tensor ids = at::zeros({samples, positions}, at::kLong);
  for (int64_t i = 0; i < samples; ++i) {
    const std::vector<int32_t>& tokens = texts[static_cast<size_t>(i)].tokens;
    const auto count = static_cast<int64_t>(tokens.size()) - 1;
    ids[i].narrow(0, 0, count).copy_(ids_of(std::span(tokens).first(tokens.size() - 1)));
  }
  return ids;
}

}  // namespace

std::vector<ScoredToken> ranked_tokens(const at::Tensor& log_probabilities,
                                       std::span<const int32_t> tokens, int64_t num_top) {
  const at::Tensor own = log_probabilities.gather(1, ids_of(tokens).unsqueeze(1));
  const at::Tensor values = own.squeeze(1).to(at::kDouble).contiguous();
  const at::Tensor likelier = log_probabilities.gt(own).sum(1).contiguous();
  const int64_t num_named = std::min(num_top, log_probabilities.size(1));
  const auto [best, best_ids] = log_probabilities.to(at::kDouble).topk(num_named, 1);
  std::vector<ScoredToken> scored;
  for (size_t i = 0; i < tokens.size(); ++i) {
    ScoredToken token{
        tokens[i], values.data_ptr<double>()[i], likelier.data_ptr<int64_t>()[i] + 1, {}};
    for (int64_t k = 0; k < num_named; ++k) {
      const auto row = static_cast<int64_t>(i);
      token.top.push_back(
          {static_cast<int32_t>(best_ids[row][k].item<int64_t>()), best[row][k].item<double>()});
    }
    scored.push_back(std::move(token));
  }
  return scored;
}

std::vector<std::vector<ScoredToken>> score_texts(const Decoder& model,
                                                  std::span<const TextToScore> texts,
                                                  const ScoreOptions& options) {
  const at::NoGradGuard no_gradients;
  const at::Tensor ids = padded_ids(texts, model.multiple_of_rows()).to(options.device);
  const at::Tensor hidden = as_rows(model.hidden(make_input(model.config(), {.ids = ids})));
  std::vector<std::vector<ScoredToken>> scored(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::span<const int32_t> tokens(texts[i].tokens);
    for (size_t at = texts[i].first; at < tokens.size(); at += kRowsAtOnce) {
      const size_t count = std::min<size_t>(kRowsAtOnce, tokens.size() - at);
      const int64_t row = static_cast<int64_t>(i) * ids.size(1) + static_cast<int64_t>(at) - 1;
      const at::Tensor logits =
          model.head().logits(hidden.narrow(0, row, static_cast<int64_t>(count)));
      const std::vector<ScoredToken> more =
          ranked_tokens(logits.log_softmax(-1).narrow(1, 0, options.num_tokens).cpu(),
                        tokens.subspan(at, count), options.num_top);
      scored[i].insert(scored[i].end(), more.begin(), more.end());
    }
  }
  return scored;
}

std::vector<ScoredToken> score_masked_tokens(const Encoder& model, const Tokenizer& tokenizer,
                                             const std::vector<int32_t>& tokens,
                                             std::span<const size_t> places,
                                             const ScoreOptions& options) {
  const at::NoGradGuard no_gradients;
  std::vector<int32_t> whole = {tokenizer.class_token()};
  whole.insert(whole.end(), tokens.begin(), tokens.end());
  whole.push_back(tokenizer.separator_token());
  const at::Tensor text = ids_of(whole);
  std::vector<ScoredToken> scored;
  for (size_t begin = 0; begin < places.size(); begin += kCopiesAtOnce) {
    const auto part = places.subspan(begin, std::min<size_t>(kCopiesAtOnce, places.size() - begin));
    std::vector<int64_t> masked;
    std::vector<int32_t> wanted;
    for (const size_t place : part) {
      masked.push_back(static_cast<int64_t>(place) + 1);  // behind the class token
      wanted.push_back(tokens[place]);
    }
    const auto count = static_cast<int64_t>(part.size());
    const at::Tensor columns = at::tensor(masked, at::kLong);
    const at::Tensor ids =
        text.expand({count, text.size(0)}).scatter(1, columns.unsqueeze(1), tokenizer.mask_token());
    const at::Tensor hidden =
        as_rows(model.hidden(make_input(model.config(), {.ids = ids.to(options.device)})));
    const at::Tensor rows =
        hidden.index_select(0, (at::arange(count) * text.size(0) + columns).to(options.device));
    const std::vector<ScoredToken> more =
        ranked_tokens(model.log_probabilities(rows).narrow(1, 0, options.num_tokens).cpu(), wanted,
                      options.num_top);
    scored.insert(scored.end(), more.begin(), more.end());
  }
  return scored;
}

}  // namespace lmtrain

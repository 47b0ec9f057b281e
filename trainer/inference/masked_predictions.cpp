#include "trainer/inference/masked_predictions.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/text.h"
#include "base/utf8.h"
#include "models/functions.h"
#include "trainer/step/model_batch.h"

namespace lmtrain {
namespace {

constexpr int64_t kCopiesAtOnce = 16;

std::string_view without_space(std::string_view token) {
  if (token.starts_with(' ')) token.remove_prefix(1);
  return token;
}

}  // namespace

std::vector<double> score_masked_tokens(const Encoder& model, const Tokenizer& tokenizer,
                                        const std::vector<int32_t>& tokens, at::Device device) {
  const at::NoGradGuard no_gradients;
  std::vector<int64_t> whole = {tokenizer.class_token()};
  whole.insert(whole.end(), tokens.begin(), tokens.end());
  whole.push_back(tokenizer.separator_token());
  const at::Tensor text = at::tensor(whole, at::kLong);
  const auto num_tokens = static_cast<int64_t>(tokens.size());
  std::vector<double> scores;
  for (int64_t first = 0; first < num_tokens; first += kCopiesAtOnce) {
    const int64_t count = std::min(kCopiesAtOnce, num_tokens - first);
    const at::Tensor masked = at::arange(first + 1, first + 1 + count, at::kLong);
    const at::Tensor ids =
        text.expand({count, text.size(0)}).scatter(1, masked.unsqueeze(1), tokenizer.mask_token());
    const at::Tensor hidden = model.hidden(make_input(model.config(), {.ids = ids.to(device)}));
    const at::Tensor rows =
        as_rows(hidden).index_select(0, (at::arange(count) * text.size(0) + masked).to(device));
    const at::Tensor found = model.log_probabilities(rows).to(at::kDouble).cpu();
    for (int64_t i = 0; i < count; ++i)
      scores.push_back(found[i][whole[static_cast<size_t>(first + i + 1)]].item<double>());
  }
  return scores;
}

std::string show_predictions(const Encoder& model, const Batch& batch, const Tokenizer& tokenizer,
                             at::Device device) {
  const at::NoGradGuard no_gradients;
  const ModelBatch tensors = to_model_batch(batch, model.config(), {}, device);
  const at::Tensor rows =
      as_rows(model.hidden(tensors.input)).index_select(0, tensors.targets.places);
  const at::Tensor found =
      model.log_probabilities(rows).narrow(1, 0, tokenizer.vocab_size()).argmax(1).cpu();
  std::string text;
  int64_t target = 0;
  for (size_t i = 0; i < batch.ids.size(); ++i) {
    const bool is_target = batch.weights[i] != 0.0F;
    const auto true_token = static_cast<int32_t>(is_target ? batch.labels[i] : batch.ids[i]);
    if (tokenizer.is_special(true_token)) continue;
    const std::string_view written = tokenizer.token_text(true_token);
    if (!is_target) {
      text += written;
      continue;
    }
    const auto guess = static_cast<int32_t>(found[target++].item<int64_t>());
    if (written.starts_with(' ')) text += ' ';
    text += cat("«", without_space(tokenizer.token_text(guess)),
                guess == true_token ? "" : cat(", was ", without_space(written)), "»");
  }
  return shown_as_utf8(text);
}

}  // namespace lmtrain

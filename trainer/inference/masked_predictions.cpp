#include "trainer/inference/masked_predictions.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "base/text.h"
#include "base/utf8.h"
#include "models/functions.h"
#include "trainer/inference/loaded_model.h"
#include "trainer/step/model_batch.h"

namespace lmtrain {
namespace {

std::string_view without_space(std::string_view token) {
  if (token.starts_with(' ')) token.remove_prefix(1);
  return token;
}

}  // namespace

std::vector<FilledMask> fill_masks(const Encoder& model, const Tokenizer& tokenizer,
                                   const EncodedText& text, int64_t num_top) {
  const at::NoGradGuard no_gradients;
  std::vector<FilledMask> filled;
  std::vector<int64_t> rows;
  for (size_t i = 0; i < text.ids.size(); ++i) {
    if (text.ids[i] != tokenizer.mask_token()) continue;
    filled.push_back({i, {}});
    rows.push_back(static_cast<int64_t>(i));
  }
  if (rows.empty()) return filled;
  constexpr size_t kFirst[] = {0};
  const at::Tensor hidden = as_rows(model.hidden(padded_input(model.config(), {text}, kFirst)));
  const at::Tensor found =
      model.log_probabilities(hidden.index_select(0, at::tensor(rows, at::kLong)))
          .narrow(1, 0, tokenizer.vocab_size());
  require_finite(found);
  const std::vector<int32_t> masks(filled.size(), tokenizer.mask_token());
  const std::vector<ScoredToken> ranked = ranked_tokens(found, masks, num_top);
  for (size_t i = 0; i < filled.size(); ++i) filled[i].top = ranked[i].top;
  return filled;
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

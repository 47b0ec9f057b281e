#include "trainer/inference/text_batches.h"

#include <algorithm>
#include <numeric>

#include <ATen/ATen.h>

namespace lmtrain {

ModelInput padded_input(const ModelConfig& model, const std::vector<EncodedText>& texts,
                        std::span<const size_t> places) {
  size_t longest = 0;
  for (const size_t place : places) longest = std::max(longest, texts[place].ids.size());
  const auto samples = static_cast<int64_t>(places.size());
  const auto positions = static_cast<int64_t>(longest);
  TokenBatch tokens;
  tokens.ids = at::zeros({samples, positions}, at::kLong);
  tokens.lengths = at::empty({samples}, at::kLong);
  const int64_t segments = model.traits().num_segments;
  if (segments > 0) tokens.segments = at::zeros({samples, positions}, at::kLong);
  for (int64_t i = 0; i < samples; ++i) {
    const EncodedText& text = texts[places[static_cast<size_t>(i)]];
    const auto length = static_cast<int64_t>(text.ids.size());
    tokens.lengths[i] = length;
    tokens.ids[i].narrow(0, 0, length).copy_(at::tensor(text.ids, at::kLong));
    if (segments == 0) continue;
    tokens.segments[i]
        .narrow(0, 0, length)
        .copy_(at::tensor(text.type_ids, at::kLong).clamp_max(segments - 1));
  }
  return make_input(model, tokens);
}

std::vector<size_t> lengths_of(const std::vector<EncodedText>& texts) {
  std::vector<size_t> lengths;
  for (const EncodedText& text : texts) lengths.push_back(text.ids.size());
  return lengths;
}

void in_batches(const std::vector<size_t>& lengths, int64_t batch_size,
                const std::function<void(std::span<const size_t>)>& read) {
  constexpr int64_t kBatchesAtOnce = 16;
  const auto window = static_cast<size_t>(batch_size * kBatchesAtOnce);
  for (size_t begin = 0; begin < lengths.size(); begin += window) {
    std::vector<size_t> places(std::min(window, lengths.size() - begin));
    std::iota(places.begin(), places.end(), begin);
    std::ranges::stable_sort(places, {}, [&](size_t place) { return lengths[place]; });
    for (size_t i = 0; i < places.size(); i += static_cast<size_t>(batch_size)) {
      read(std::span(places).subspan(i,
                                     std::min(static_cast<size_t>(batch_size), places.size() - i)));
    }
  }
}

}  // namespace lmtrain

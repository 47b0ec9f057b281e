#include "trainer/inference/engine.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "base/phase.h"
#include "models/few_rows.h"

namespace lmtrain {
namespace {

// The tokens of a prompt that are read at once: enough for matrix products at full speed.
constexpr int64_t kChunk = 1024;

at::Tensor ids_of(const std::vector<int32_t>& tokens, size_t begin, size_t end) {
  const std::vector<int64_t> ids(tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                                 tokens.begin() + static_cast<std::ptrdiff_t>(end));
  return at::tensor(ids, at::kLong);
}

}  // namespace

Engine::Engine(const Decoder& model, const EngineOptions& options)
    : model_(model), options_(options), cache_(model.make_cache(options.num_slots)) {
  TORCH_CHECK(options.num_slots <= kMostFewRows, "a pass has no room for so many slots");
  for (int64_t slot = options.num_slots; slot-- > 0;) free_slots_.push_back(slot);
}

int64_t Engine::add(std::vector<int32_t> prompt, DecodingOptions options) {
  Text text;
  text.number = num_added_++;
  text.options = std::move(options);
  text.num_prompt_tokens = prompt.size();
  text.tokens = std::move(prompt);
  waiting_.push_back(std::move(text));
  return waiting_.back().number;
}

void Engine::cancel(int64_t number) {
  std::erase_if(waiting_, [&](const Text& text) { return text.number == number; });
  std::erase_if(running_, [&](const Text& text) {
    if (text.number != number) return false;
    free_slots_.push_back(text.slot);
    return true;
  });
}

std::vector<NewToken> Engine::step() {
  const at::NoGradGuard no_gradients;
  const double begin = monotonic_seconds();
  std::vector<NewToken> tokens;
  if (!waiting_.empty() && !free_slots_.empty()) {
    running_.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
    running_.back().slot = free_slots_.back();
    free_slots_.pop_back();
    tokens = read({&running_.back()});
    times_.prompt_tokens += running_.back().num_in_cache;
    times_.prompt_seconds += monotonic_seconds() - begin;
  } else {
    std::vector<Text*> texts;
    for (Text& text : running_) {
      make_room(text);
      texts.push_back(&text);
    }
    // A text that must be read again comes alone, as a prompt does.
    const auto again =
        std::ranges::find(texts, 0, [](const Text* text) { return text->num_in_cache; });
    tokens = read(again == texts.end() ? texts : std::vector<Text*>{*again});
    times_.decoded_tokens += static_cast<int64_t>(tokens.size());
    times_.decoding_seconds += monotonic_seconds() - begin;
  }
  remove_finished(tokens);
  return tokens;
}

// A text that has outgrown the slot goes on from its newer half.
void Engine::make_room(Text& text) const {
  const auto capacity = static_cast<size_t>(cache_.capacity());
  if (text.tokens.size() - text.first_in_cache <= capacity) return;
  text.first_in_cache = text.tokens.size() - std::max<size_t>(1, capacity / 2);
  text.num_in_cache = 0;
}

std::vector<NewToken> Engine::read(const std::vector<Text*>& texts) {
  at::Tensor hidden;
  if (texts.size() == 1) {
    Text& text = *texts[0];
    make_room(text);
    const auto num_tokens = static_cast<int64_t>(text.tokens.size() - text.first_in_cache);
    while (text.num_in_cache < num_tokens) {
      const TokenSpan span = {text.slot, text.num_in_cache,
                              std::min(kChunk, num_tokens - text.num_in_cache)};
      const size_t begin = text.first_in_cache + static_cast<size_t>(span.first);
      hidden = model_.hidden(ids_of(text.tokens, begin, begin + static_cast<size_t>(span.count)),
                             {span}, cache_);
      text.num_in_cache = span.end();
    }
    hidden = hidden.slice(0, -1);
  } else {
    std::vector<TokenSpan> spans;
    std::vector<int32_t> last;
    for (Text* const text : texts) {
      spans.push_back({text->slot, text->num_in_cache++, 1});
      last.push_back(text->tokens.back());
    }
    hidden = model_.hidden(ids_of(last, 0, last.size()), spans, cache_);
  }
  const at::Tensor logits = model_.head().logits(hidden).narrow(1, 0, options_.num_tokens);
  std::vector<ChosenToken> chosen = choose(logits, texts);
  std::vector<NewToken> tokens;
  for (size_t i = 0; i < texts.size(); ++i) {
    Text& text = *texts[i];
    const auto& ends = text.options.end_tokens;
    NewToken token = {text.number, std::move(chosen[i]), std::nullopt};
    text.tokens.push_back(token.chosen.token);
    const auto num_new = static_cast<int64_t>(text.tokens.size() - text.num_prompt_tokens);
    if (std::ranges::find(ends, token.chosen.token) != ends.end()) {
      token.finished = FinishReason::kEndToken;
    } else if (num_new >= text.options.max_new_tokens) {
      token.finished = FinishReason::kLength;
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

std::vector<ChosenToken> Engine::choose(const at::Tensor& logits, const std::vector<Text*>& texts) {
  std::vector<ChosenToken> chosen(texts.size());
  const at::Tensor on_cpu = logits.cpu();
  at::parallel_for(0, static_cast<int64_t>(texts.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Text& text = *texts[static_cast<size_t>(i)];
      chosen[static_cast<size_t>(i)] =
          choose_token(on_cpu[i], text.options, text.tokens, text.num_prompt_tokens);
    }
  });
  if (options_.ranks == nullptr) return chosen;
  at::Tensor agreed = at::empty({static_cast<int64_t>(chosen.size())}, at::kLong);
  for (size_t i = 0; i < chosen.size(); ++i) agreed.data_ptr<int64_t>()[i] = chosen[i].token;
  options_.ranks->broadcast(agreed, 0)->wait();
  for (size_t i = 0; i < chosen.size(); ++i)
    chosen[i].token = static_cast<int32_t>(agreed.data_ptr<int64_t>()[i]);
  return chosen;
}

void Engine::remove_finished(const std::vector<NewToken>& tokens) {
  for (const NewToken& token : tokens) {
    if (token.finished) cancel(token.text);
  }
}

std::vector<int32_t> generate_tokens(Engine& engine, const std::vector<int32_t>& prompt,
                                     const DecodingOptions& options,
                                     const std::function<void()>& pause) {
  engine.add(prompt, options);
  std::vector<int32_t> tokens;
  while (!engine.is_idle()) {
    if (pause) pause();
    for (const NewToken& token : engine.step()) {
      if (token.finished != FinishReason::kEndToken) tokens.push_back(token.chosen.token);
    }
  }
  return tokens;
}

}  // namespace lmtrain

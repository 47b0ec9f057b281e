#include "trainer/inference/generate.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/utf8.h"
#include "models/few_rows.h"
#include "trainer/inference/text_stream.h"

namespace lmtrain {
namespace {

struct TextUnderWay {
  GeneratedText result;
  TextStream stream;
};

}  // namespace

EngineTimes generate_texts(const LoadedModel& loaded, const Decoder& model,
                           const std::vector<Prompt>& prompts, const TextOptions& options,
                           const TextListener& listener) {
  const int64_t num_texts = static_cast<int64_t>(prompts.size()) * options.num_texts;
  Engine engine(model, {.num_tokens = loaded.tokenizer.vocab_size(),
                        .num_slots = std::min({num_texts, options.batch_size, kMostFewRows})});
  std::map<int64_t, TextUnderWay> texts;
  for (size_t p = 0; p < prompts.size(); ++p) {
    for (int64_t i = 0; i < options.num_texts; ++i) {
      DecodingOptions decoding = options.decoding;
      decoding.max_new_tokens = prompts[p].max_new_tokens;
      decoding.seed += static_cast<uint64_t>(i);
      TextUnderWay text{{}, TextStream(loaded.tokenizer, options.stops)};
      text.result.prompt = p;
      text.result.number = static_cast<size_t>(i);
      texts.emplace(engine.add(prompts[p].tokens, std::move(decoding)), std::move(text));
    }
  }
  while (!engine.is_idle()) {
    for (const NewToken& token : engine.step()) {
      TextUnderWay& text = texts.at(token.text);
      GeneratedText& result = text.result;
      result.log_probability += token.chosen.log_probability;
      std::string more;
      if (token.finished != FinishReason::kEndToken) {
        result.tokens.push_back(token.chosen.token);
        more = text.stream.add(token.chosen.token);
      }
      const bool has_ended = token.finished || text.stream.has_stopped();
      if (has_ended) more += text.stream.finish();
      result.text += more;
      if (listener.on_text) listener.on_text(result.prompt, result.number, more);
      if (!has_ended) continue;
      const bool by_length = !text.stream.has_stopped() && token.finished == FinishReason::kLength;
      result.finish_reason = by_length ? "length" : "stop";
      if (!token.finished) engine.cancel(token.text);
      if (listener.on_end) listener.on_end(result);
      texts.erase(token.text);
    }
  }
  return engine.times();
}

std::vector<GeneratedText> search_texts(const LoadedModel& loaded, const Decoder& model,
                                        const Prompt& prompt, const TextOptions& options,
                                        const BeamOptions& beams) {
  DecodingOptions decoding = options.decoding;
  decoding.max_new_tokens = prompt.max_new_tokens;
  std::vector<BeamText> found =
      beam_search(model, loaded.tokenizer.vocab_size(), prompt.tokens, decoding, beams);
  if (static_cast<int64_t>(found.size()) > options.num_texts)
    found.resize(static_cast<size_t>(options.num_texts));
  std::vector<GeneratedText> texts;
  for (BeamText& one : found) {
    GeneratedText text;
    text.number = texts.size();
    text.score = one.score;
    text.log_probability =
        one.score * std::pow(static_cast<double>(one.tokens.size()), beams.length_penalty);
    text.finish_reason = "length";
    if (std::ranges::find(decoding.end_tokens, one.tokens.back()) != decoding.end_tokens.end()) {
      text.finish_reason = "stop";
      one.tokens.pop_back();
    }
    text.text = shown_as_utf8(loaded.tokenizer.decode(one.tokens));
    text.tokens = std::move(one.tokens);
    texts.push_back(std::move(text));
  }
  return texts;
}

}  // namespace lmtrain

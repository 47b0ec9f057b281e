#include "trainer/inference/generate.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "models/few_rows.h"

namespace lmtrain {
namespace {

// Where the first of the stops begins in a text, its size where there is none.
size_t find_stop(const std::string& text, const std::vector<std::string>& stops) {
  size_t end = text.size();
  for (const std::string& stop : stops) end = std::min(end, text.find(stop));
  return end;
}

TextEnds ends_at(const Tokenizer& tokenizer, const std::vector<std::string>& stops) {
  if (stops.empty()) return {};
  return [&](const std::vector<int32_t>& tokens) {
    const std::string text = tokenizer.decode(tokens);
    return find_stop(text, stops) < text.size();
  };
}

}  // namespace

TextGenerator::TextGenerator(const LoadedModel& loaded, const Decoder& model, int64_t num_slots)
    : loaded_(loaded),
      engine_(model, {.num_tokens = loaded.tokenizer.vocab_size(),
                      .num_slots = std::min(num_slots, kMostFewRows),
                      .ranks = loaded.ranks}) {}

int64_t TextGenerator::add(TextRequest request) {
  const int64_t text = engine_.add(std::move(request.prompt), std::move(request.decoding));
  streams_.emplace(text, TextStream(loaded_.tokenizer, std::move(request.stops)));
  return text;
}

void TextGenerator::cancel(int64_t text) {
  engine_.cancel(text);
  streams_.erase(text);
}

std::vector<TextPiece> TextGenerator::step() {
  std::vector<TextPiece> pieces;
  for (NewToken& token : engine_.step()) {
    TextStream& stream = streams_.at(token.text);
    TextPiece piece{token.text, "", std::move(token.chosen),
                    token.finished == FinishReason::kEndToken, ""};
    if (!piece.is_end_token) piece.more = stream.add(piece.token.token);
    if (token.finished || stream.has_stopped()) {
      piece.more += stream.finish();
      const bool by_length = !stream.has_stopped() && token.finished == FinishReason::kLength;
      piece.finish_reason = by_length ? "length" : "stop";
      cancel(token.text);
    }
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

EngineTimes generate_texts(const LoadedModel& loaded, const Decoder& model,
                           const std::vector<TextRequest>& requests, int64_t num_texts,
                           int64_t num_slots, const TextListener& listener) {
  const int64_t num_all = static_cast<int64_t>(requests.size()) * num_texts;
  TextGenerator generator(loaded, model, std::min(num_all, num_slots));
  std::map<int64_t, GeneratedText> texts;
  for (size_t p = 0; p < requests.size(); ++p) {
    for (int64_t i = 0; i < num_texts; ++i) {
      TextRequest request = requests[p];
      request.decoding.seed += static_cast<uint64_t>(i);
      GeneratedText text;
      text.prompt = p;
      text.number = static_cast<size_t>(i);
      texts[generator.add(std::move(request))] = std::move(text);
    }
  }
  while (!generator.is_idle()) {
    for (const TextPiece& piece : generator.step()) {
      GeneratedText& text = texts.at(piece.text);
      text.log_probability += piece.token.log_probability;
      if (!piece.is_end_token) text.tokens.push_back(piece.token.token);
      text.text += piece.more;
      text.finish_reason = piece.finish_reason;
      if (listener.on_text) listener.on_text(text.prompt, text.number, piece.more);
      if (piece.finish_reason.empty()) continue;
      if (listener.on_end) listener.on_end(text);
      texts.erase(piece.text);
    }
  }
  return generator.times();
}

std::vector<GeneratedText> search_texts(const LoadedModel& loaded, const Decoder& model,
                                        const TextRequest& request, int64_t num_texts,
                                        const BeamOptions& beams) {
  const DecodingOptions& decoding = request.decoding;
  std::vector<BeamText> found =
      beam_search(model, loaded.tokenizer.vocab_size(), request.prompt, decoding, beams,
                  ends_at(loaded.tokenizer, request.stops));
  if (static_cast<int64_t>(found.size()) > num_texts) found.resize(static_cast<size_t>(num_texts));
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
    const size_t end = find_stop(text.text, request.stops);
    if (end < text.text.size()) text.finish_reason = "stop";
    text.text.resize(end);
    text.tokens = std::move(one.tokens);
    texts.push_back(std::move(text));
  }
  return texts;
}

}  // namespace lmtrain

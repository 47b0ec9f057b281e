// Texts from prompts, with a model from a checkpoint.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "trainer/inference/beam_search.h"
#include "trainer/inference/engine.h"
#include "trainer/inference/loaded_model.h"
#include "trainer/inference/text_stream.h"

namespace lmtrain {

// A text to be written.
struct TextRequest {
  std::vector<int32_t> prompt;  // at least one token
  DecodingOptions decoding;
  std::vector<std::string> stops;  // texts before which it ends
};

// What a pass has given one text.
struct TextPiece {
  int64_t text = 0;  // as TextGenerator::add returned it
  std::string more;  // what is certain by now and was not before; may be empty
  ChosenToken token;
  bool is_end_token = false;  // which is no part of the text
  std::string finish_reason;  // "stop": by an end token or a stop; "length"; "": it goes on
};

// Writes many texts at once: the engine with stops, and with text in place of tokens.
class TextGenerator {
 public:
  TextGenerator(const LoadedModel& loaded, const Decoder& model, int64_t num_slots);

  int64_t add(TextRequest request);  // returns the text's number
  void cancel(int64_t text);
  bool is_idle() const { return engine_.is_idle(); }
  const EngineTimes& times() const { return engine_.times(); }
  // One pass of the engine.
  std::vector<TextPiece> step();

 private:
  const LoadedModel& loaded_;
  Engine engine_;
  std::map<int64_t, TextStream> streams_;
};

struct GeneratedText {
  size_t prompt = 0;  // its place among the prompts
  size_t number = 0;  // among the texts of this prompt
  std::string text;   // behind the prompt; U+FFFD stands for bytes that are no character
  std::vector<int32_t> tokens;
  // The sum over the tokens, an end token too, under the model; of beam search under the model and
  // the penalties.
  double log_probability = 0;
  std::optional<double> score;  // of beam search
  std::string finish_reason;    // "stop" or "length"
};

struct TextListener {
  // The text that has come for one of the texts, as soon as it is certain; may be empty.
  std::function<void(size_t prompt, size_t number, const std::string& text)> on_text;
  std::function<void(const GeneratedText&)> on_end;
};

// Writes `num_texts` texts for each request, with seeds counted from its own, `num_slots` at once.
// They end in the order in which they happen to. Returns how long the passes took.
EngineTimes generate_texts(const LoadedModel& loaded, const Decoder& model,
                           const std::vector<TextRequest>& requests, int64_t num_texts,
                           int64_t num_slots, const TextListener& listener);

// The best `num_texts` texts of a request by beam search, the best first. A beam ends before a stop
// as before an end token.
std::vector<GeneratedText> search_texts(const LoadedModel& loaded, const Decoder& model,
                                        const TextRequest& request, int64_t num_texts,
                                        const BeamOptions& beams);

}  // namespace lmtrain

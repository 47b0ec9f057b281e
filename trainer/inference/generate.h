// Texts from prompts, with a model from a checkpoint.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "trainer/inference/beam_search.h"
#include "trainer/inference/engine.h"
#include "trainer/inference/loaded_model.h"

namespace lmtrain {

struct Prompt {
  std::vector<int32_t> tokens;  // at least one
  int64_t max_new_tokens = 0;
};

struct TextOptions {
  DecodingOptions decoding;        // but max_new_tokens, which each prompt has
  std::vector<std::string> stops;  // texts before which the text ends
  int64_t num_texts = 1;           // of each prompt, with seeds counted from decoding.seed
  int64_t batch_size = 8;          // texts under way at once
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
  std::string finish_reason;    // "stop": by an end token or a stop; "length"
};

struct TextListener {
  // The text that has come for one of the texts, as soon as it is certain; may be empty.
  std::function<void(size_t prompt, size_t number, const std::string& text)> on_text;
  std::function<void(const GeneratedText&)> on_end;
};

// Goes on from each prompt. Texts end in the order in which they happen to. Returns how long the
// passes took.
EngineTimes generate_texts(const LoadedModel& loaded, const Decoder& model,
                           const std::vector<Prompt>& prompts, const TextOptions& options,
                           const TextListener& listener);

// The best options.num_texts texts of one prompt by beam search, the best first. Stops are not
// looked for.
std::vector<GeneratedText> search_texts(const LoadedModel& loaded, const Decoder& model,
                                        const Prompt& prompt, const TextOptions& options,
                                        const BeamOptions& beams);

}  // namespace lmtrain

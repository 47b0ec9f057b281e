// Beam search: looks for the likeliest texts by keeping several beginnings at a time. Scores,
// lengths and the rule by which it ends are those of transformers' generate.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/choice.h"
#include "models/decoder.h"
#include "trainer/inference/decoding.h"

namespace lmtrain {

enum class EarlyStopping {
  kWhenHopeless,  // once the best beginning, at its present length, is worse than all that ended
  kWhenFull,      // once num_beams texts have ended
  kNever,         // as kWhenHopeless, at the length that is best for it
};

constexpr auto choice_names(EarlyStopping) {
  return std::to_array<std::string_view>({"false", "true", "never"});
}

struct BeamOptions {
  int64_t num_beams = 4;
  // A text's score is the sum of its log-probabilities over its length to this power: above 0 it
  // prefers long texts.
  double length_penalty = 1.0;
  EarlyStopping early_stopping = EarlyStopping::kWhenHopeless;
};

struct BeamText {
  std::vector<int32_t> tokens;  // behind the prompt, with the end token where one came
  double score = 0;
};

// Whether new tokens, those behind the prompt, end a text by what they say.
using TextEnds = std::function<bool(const std::vector<int32_t>& new_tokens)>;

// Returns num_beams texts or fewer, the best first. Of the decoding options it takes the limits of
// length, penalties, bans, biases and end tokens. A text ends at the model's last position too, and
// where `text_ends`, which may be empty, says so. Throws DataError for a prompt that is longer.
std::vector<BeamText> beam_search(const Decoder& model, int64_t num_tokens,
                                  const std::vector<int32_t>& prompt,
                                  const DecodingOptions& decoding, const BeamOptions& options,
                                  const TextEnds& text_ends = {});

}  // namespace lmtrain

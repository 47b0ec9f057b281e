// Generates texts with a decoder, many at a time. Each pass over the weights gives one token to
// every text that is under way (Yu et al., "Orca", 2022): a finished text leaves at once, and a
// waiting one takes its place. A text does not depend on those beside it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/decoder.h"
#include "trainer/inference/decoding.h"

namespace lmtrain {

enum class FinishReason {
  kEndToken,  // one of the end tokens came; it is not part of the text
  kLength,    // max_new_tokens have come
};

// What a step has given one text.
struct NewToken {
  int64_t text = 0;  // as Engine::add returned it
  ChosenToken chosen;
  std::optional<FinishReason> finished;  // where this was the text's last token
};

struct EngineOptions {
  int64_t num_tokens = 0;  // only tokens below this are chosen
  int64_t num_slots = 1;   // texts under way at once, at most kMostFewRows
  // Where several ranks compute the model together, all of them use rank 0's choices.
  Communicator* ranks = nullptr;
};

// What the passes so far have read, and how long that took.
struct EngineTimes {
  int64_t prompt_tokens = 0;
  double prompt_seconds = 0;
  int64_t decoded_tokens = 0;  // but the first of each text, which comes with its prompt
  double decoding_seconds = 0;
};

class Engine {
 public:
  Engine(const Decoder& model, const EngineOptions& options);

  // Queues a text, which goes on from `prompt`, at least one token. A prompt that leaves no room in
  // the model's positions loses its oldest tokens, and so does a text that outgrows them: the newer
  // half is then read again from the first position on. Returns the text's number.
  int64_t add(std::vector<int32_t> prompt, DecodingOptions options);
  // Takes a text out that is queued or under way.
  void cancel(int64_t text);
  const EngineTimes& times() const { return times_; }
  bool is_idle() const { return waiting_.empty() && running_.empty(); }

  // One pass: it reads the prompt of a waiting text where a slot is free, else a token of every
  // text under way. Returns the tokens that came.
  std::vector<NewToken> step();

 private:
  struct Text {
    int64_t number = 0;
    DecodingOptions options;
    size_t num_prompt_tokens = 0;
    std::vector<int32_t> tokens;  // the prompt and what has come
    size_t first_in_cache = 0;    // which of them is at the slot's first place
    int64_t num_in_cache = 0;
    int64_t slot = -1;
  };

  std::vector<NewToken> read(const std::vector<Text*>& texts);
  std::vector<ChosenToken> choose(const at::Tensor& logits, const std::vector<Text*>& texts);
  void make_room(Text& text) const;
  void remove_finished(const std::vector<NewToken>& tokens);

  const Decoder& model_;
  EngineOptions options_;
  KeyValueCache cache_;
  std::vector<int64_t> free_slots_;
  std::deque<Text> waiting_;
  std::deque<Text> running_;
  int64_t num_added_ = 0;
  EngineTimes times_;
};

// Generates one text and returns its new tokens. `pause` is called before each pass, and may throw.
std::vector<int32_t> generate_tokens(Engine& engine, const std::vector<int32_t>& prompt,
                                     const DecodingOptions& options,
                                     const std::function<void()>& pause = {});

}  // namespace lmtrain

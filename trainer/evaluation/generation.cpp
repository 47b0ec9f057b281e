// Whether the model writes the right answer behind a prompt: greedy, up to a stop.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "trainer/evaluation/task_support.h"
#include "trainer/inference/engine.h"
#include "trainer/inference/text_stream.h"

namespace lmtrain {
namespace {

struct Item {
  std::string prompt;
  std::vector<std::string> answers;  // any of which is right
};

Item item_of(JsonObject& object) {
  Item item{object.text("prompt"), {}};
  if (const nlohmann::json* const answers = object.find("answers")) {
    if (!answers->is_array() || answers->empty())
      object.fail("answers", "is no list of one text or more");
    for (const auto& answer : *answers)
      item.answers.push_back(json_text(answer, cat(object.place(), ": answers")));
  } else {
    item.answers.push_back(object.text("answer"));
  }
  return item;
}

std::string trimmed(const std::string& text) {
  constexpr const char* kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

std::string write(Engine& engine, const TaskModel& model, const TaskConfig& options,
                  const std::string& prompt) {
  DecodingOptions decoding;
  decoding.max_new_tokens = options.max_new_tokens;
  decoding.temperature = 0;
  decoding.end_tokens = model.end_tokens;
  TextStream stream(model.tokenizer, options.stops);
  std::vector<int32_t> tokens = tokens_of(model, prompt);
  if (tokens.empty())
    throw DataError("a prompt is empty, and the model's texts begin with no token");
  std::string text;
  const int64_t number = engine.add(std::move(tokens), decoding);
  while (!engine.is_idle()) {
    for (const NewToken& token : engine.step()) {
      if (token.finished != FinishReason::kEndToken) text += stream.add(token.chosen.token);
      if (stream.has_stopped()) engine.cancel(number);
    }
  }
  return text + stream.finish();
}

}  // namespace

TaskResult evaluate_generation(const TaskModel& model, const TaskConfig& options,
                               const ItemListener& listener) {
  const Decoder& decoder = decoder_for(model, options.task);
  std::vector<Item> items;
  read_items(options, [&](JsonObject& object) { items.push_back(item_of(object)); });
  Engine engine(decoder, {.num_tokens = model.tokenizer.vocab_size(), .ranks = model.ranks});
  std::vector<double> exact;
  std::vector<double> contains;
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string text = trimmed(write(engine, model, options, items[i].prompt));
    exact.push_back(std::ranges::any_of(
        items[i].answers, [&](const std::string& answer) { return text == trimmed(answer); }));
    contains.push_back(std::ranges::any_of(items[i].answers, [&](const std::string& answer) {
      return !trimmed(answer).empty() && text.find(trimmed(answer)) != std::string::npos;
    }));
    if (listener) {
      listener(i + 1, items.size(),
               {{"text", text},
                {"is_exact", exact.back() == 1.0},
                {"contains_answer", contains.back() == 1.0}});
    }
  }
  const Share share = bootstrapped(exact);
  const Share containing = bootstrapped(contains);
  TaskResult result;
  result.numbers = {{"items", items.size()},
                    {"exact_match", share.value},
                    {"exact_match_stderr", standard_error(share.value, items.size())},
                    {"exact_match_interval", {share.low, share.high}},
                    {"contains_answer", containing.value},
                    {"contains_answer_interval", {containing.low, containing.high}}};
  result.measure = "exact_match";
  result.value = share.value;
  return result;
}

}  // namespace lmtrain

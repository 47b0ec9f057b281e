// Multiple choice by log-likelihood, with the rules of lm-evaluation-harness (Gao et al., 2021):
// the answer is the choice that is likeliest behind the context; for the normalised accuracy its
// log-probability is divided by its length in characters.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"
#include "trainer/evaluation/task_support.h"
#include "trainer/inference/score.h"

namespace lmtrain {
namespace {

struct Item {
  std::string context;
  std::vector<std::string> choices;
  size_t answer = 0;
};

// The number of a choice, or its text.
size_t answer_of(JsonObject& object, const std::vector<std::string>& choices) {
  const nlohmann::json& answer = object.required("answer");
  if (answer.is_number_integer()) {
    return static_cast<size_t>(json_integer(answer, 0, static_cast<int64_t>(choices.size()) - 1,
                                            cat(object.place(), ": answer")));
  }
  const std::string text = json_text(answer, cat(object.place(), ": answer"));
  const auto at = std::ranges::find(choices, text);
  if (at == choices.end()) object.fail("answer", "is none of the choices");
  return static_cast<size_t>(at - choices.begin());
}

Item item_of(JsonObject& object) {
  Item item;
  item.context = object.text("context");
  const nlohmann::json& choices = object.required("choices");
  if (!choices.is_array() || choices.size() < 2)
    object.fail("choices", "must be a list of two texts or more");
  for (const auto& choice : choices)
    item.choices.push_back(json_text(choice, cat(object.place(), ": choices")));
  item.answer = answer_of(object, item.choices);
  return item;
}

// The size of a text without the white space at its end, as Python's rstrip takes it off.
size_t size_without_space(std::string_view text) {
  static const std::vector<std::string_view> kSpaces = {
      " ",      "\t",     "\n",     "\v",     "\f",     "\r",     "\x1C",   "\x1D",
      "\x1E",   "\x1F",   "\u0085", "\u00A0", "\u1680", "\u2000", "\u2001", "\u2002",
      "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200A",
      "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"};
  for (;;) {
    const auto space =
        std::ranges::find_if(kSpaces, [&](std::string_view one) { return text.ends_with(one); });
    if (space == kSpaces.end()) return text.size();
    text.remove_suffix(space->size());
  }
}

// Context and continuation are tokenised together; white space at the end of the context belongs to
// the continuation. Where nothing precedes a text, the end token does. The oldest tokens of a text
// that is too long are left out.
TextToScore text_to_score(const TaskModel& model, const std::string& context,
                          const std::string& continuation) {
  const auto encoded = [&](const std::string& part) {
    std::vector<int32_t> tokens = tokens_of(model, part);
    if (model.start_token < 0 && size_without_space(context) == 0)
      tokens.insert(tokens.begin(), model.tokenizer.end_of_text());
    return tokens;
  };
  const std::vector<int32_t> before = encoded(context.substr(0, size_without_space(context)));
  if (before.empty() || before[0] < 0)
    throw DataError("a context is empty, and the tokenizer has no end token to stand before it");
  TextToScore text{encoded(context + continuation), before.size()};
  const auto most = static_cast<size_t>(model.model.config().max_positions) + 1;
  if (text.tokens.size() > most) {
    const size_t excess = text.tokens.size() - most;
    text.tokens.erase(text.tokens.begin(),
                      text.tokens.begin() + static_cast<std::ptrdiff_t>(excess));
    text.first = text.first > excess ? std::max<size_t>(1, text.first - excess) : 1;
  }
  return text;
}

std::vector<double> scores_of(const TaskModel& model, const Decoder& decoder, const Item& item,
                              const std::string& delimiter) {
  std::vector<TextToScore> texts;
  for (const std::string& choice : item.choices)
    texts.push_back(text_to_score(model, item.context, delimiter + choice));
  std::vector<double> sums;
  for (const auto& scored :
       score_texts(decoder, texts, {model.tokenizer.vocab_size(), 0, model.device})) {
    double sum = 0;
    for (const ScoredToken& token : scored) sum += token.log_probability;
    sums.push_back(sum);
  }
  return sums;
}

size_t place_of_largest(const std::vector<double>& values) {
  return static_cast<size_t>(std::ranges::max_element(values) - values.begin());
}

}  // namespace

TaskResult evaluate_choice(const TaskModel& model, const TaskConfig& options,
                           const ItemListener& listener) {
  const Decoder& decoder = decoder_for(model, options.task);
  std::vector<Item> items;
  read_items(options, [&](JsonObject& object) { items.push_back(item_of(object)); });
  std::vector<double> right;
  std::vector<double> right_normalised;
  for (size_t i = 0; i < items.size(); ++i) {
    const std::vector<double> scores = scores_of(model, decoder, items[i], options.delimiter);
    std::vector<double> normalised;
    for (size_t c = 0; c < scores.size(); ++c) {
      const int64_t length = std::max<int64_t>(1, num_characters(items[i].choices[c]));
      normalised.push_back(scores[c] / static_cast<double>(length));
    }
    right.push_back(place_of_largest(scores) == items[i].answer ? 1 : 0);
    right_normalised.push_back(place_of_largest(normalised) == items[i].answer ? 1 : 0);
    if (listener) {
      listener(i + 1, items.size(),
               {{"answer", items[i].answer},
                {"chosen", place_of_largest(scores)},
                {"chosen_normalised", place_of_largest(normalised)},
                {"log_probabilities", scores}});
    }
  }
  const Share accuracy = bootstrapped(right);
  const Share normalised = bootstrapped(right_normalised);
  TaskResult result;
  result.numbers = {{"items", items.size()},
                    {"accuracy", accuracy.value},
                    {"accuracy_stderr", standard_error(accuracy.value, items.size())},
                    {"accuracy_interval", {accuracy.low, accuracy.high}},
                    {"normalised_accuracy", normalised.value},
                    {"normalised_accuracy_stderr", standard_error(normalised.value, items.size())},
                    {"normalised_accuracy_interval", {normalised.low, normalised.high}}};
  result.measure = "accuracy";
  result.value = accuracy.value;
  return result;
}

}  // namespace lmtrain

// Minimal pairs: which of two sentences that differ in little a model finds likelier. Grammar is
// measured so (BLiMP; Warstadt et al., 2020), and stereotypes (CrowS-Pairs; Nangia et al., 2020).
// Decoders are asked for the log-likelihood, encoders for the pseudo-log-likelihood.
#include <algorithm>
#include <map>
#include <numeric>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/text.h"
#include "data/masked_loader.h"
#include "models/encoder.h"
#include "trainer/evaluation/matching_tokens.h"
#include "trainer/evaluation/task_support.h"
#include "trainer/inference/score.h"

namespace lmtrain {
namespace {

// The keys of a pair in the files of those benchmarks, and of a plain one; the sentence that counts
// as preferred comes first.
constexpr std::array<std::array<const char*, 2>, 3> kKeys = {
    {{"sent_more", "sent_less"}, {"sentence_good", "sentence_bad"}, {"first", "second"}}};
constexpr std::array<const char*, 3> kGroupKeys = {"bias_type", "UID", "group"};

struct Pair {
  std::array<std::string, 2> sentences;
  std::array<std::vector<int32_t>, 2> tokens;
  std::string group;  // "" without one
};

Pair pair_of(JsonObject& object) {
  Pair pair;
  const auto keys = std::ranges::find_if(
      kKeys, [&](const auto& names) { return object.find(names[0]) != nullptr; });
  if (keys == kKeys.end()) {
    object.fail("first", cat("is missing: a pair is called ", kKeys[0][0], " and ", kKeys[0][1],
                             ", ", kKeys[1][0], " and ", kKeys[1][1], ", or first and second"));
  }
  for (size_t i = 0; i < 2; ++i) pair.sentences[i] = object.text((*keys)[i]);
  for (const char* key : kGroupKeys) {
    if (pair.group.empty() && object.find(key) != nullptr) pair.group = object.text(key);
  }
  return pair;
}

double sum_of(const std::vector<ScoredToken>& tokens) {
  return std::accumulate(tokens.begin(), tokens.end(), 0.0,
                         [](double sum, const auto& token) { return sum + token.log_probability; });
}

// The two sums that are compared.
class PairScorer {
 public:
  PairScorer(const TaskModel& model, const TaskConfig& options)
      : model_(model),
        options_{model.tokenizer.vocab_size(), 0, model.device},
        encoder_(dynamic_cast<const Encoder*>(&model.model)),
        decoder_(encoder_ == nullptr ? &decoder_for(model, options.task) : nullptr),
        shared_alone_(options.pair_tokens == PairTokens::kShared ||
                      (options.pair_tokens == PairTokens::kAuto && encoder_ != nullptr)) {
    if (encoder_ == nullptr) return;
    if (!model.model.config().has_language_head())
      throw ConfigError(
          "task pairs needs a model that predicts tokens (model.head = language_model)");
    require_masking_tokens(model.tokenizer, "task pairs");
  }

  // Throws DataError naming file and line for a sentence that the model does not hold.
  std::array<std::vector<int32_t>, 2> tokens_of_pair(const Pair& pair,
                                                     const JsonObject& object) const {
    std::array<std::vector<int32_t>, 2> tokens;
    for (size_t i = 0; i < 2; ++i) {
      if (encoder_ != nullptr) {
        model_.tokenizer.encode(pair.sentences[i], tokens[i]);
      } else {
        tokens[i] = tokens_of(model_, pair.sentences[i]);
      }
      const size_t most =
          static_cast<size_t>(model_.model.config().max_positions) - (encoder_ != nullptr ? 2 : 0);
      if (tokens[i].size() > most || tokens[i].empty()) {
        throw DataError(cat(object.place(), ": the ", i == 0 ? "first" : "second", " sentence has ",
                            tokens[i].size(), " tokens; the model holds 1 to ", most));
      }
    }
    return tokens;
  }

  std::array<double, 2> scores(const std::array<std::vector<int32_t>, 2>& tokens) const {
    const std::array<std::vector<size_t>, 2> places = places_of(tokens);
    if (encoder_ != nullptr) {
      return {
          sum_of(score_masked_tokens(*encoder_, model_.tokenizer, tokens[0], places[0], options_)),
          sum_of(score_masked_tokens(*encoder_, model_.tokenizer, tokens[1], places[1], options_))};
    }
    const std::vector<TextToScore> texts = {{tokens[0], 1}, {tokens[1], 1}};
    const auto scored = score_texts(*decoder_, texts, options_);
    return {sum_at(scored[0], places[0]), sum_at(scored[1], places[1])};
  }

  bool shared_alone() const { return shared_alone_; }

 private:
  std::array<std::vector<size_t>, 2> places_of(
      const std::array<std::vector<int32_t>, 2>& tokens) const {
    if (shared_alone_) return shared_places(tokens);
    std::array<std::vector<size_t>, 2> all;
    for (size_t i = 0; i < 2; ++i) {
      all[i].resize(tokens[i].size());
      std::iota(all[i].begin(), all[i].end(), size_t{0});
    }
    return all;
  }

  // With what stands around both sentences, as CrowS-Pairs matches them: of blocks that are equally
  // long it may decide which one is taken.
  static std::array<std::vector<size_t>, 2> shared_places(
      std::array<std::vector<int32_t>, 2> tokens) {
    constexpr int32_t kClass = -1;
    constexpr int32_t kSeparator = -2;
    for (std::vector<int32_t>& one : tokens) {
      one.insert(one.begin(), kClass);
      one.push_back(kSeparator);
    }
    std::array<std::vector<size_t>, 2> places = matching_places(tokens[0], tokens[1]);
    for (std::vector<size_t>& one : places) {
      one.erase(one.begin());
      one.pop_back();
      for (size_t& place : one) --place;
    }
    return places;
  }

  // scored[0] is of the token at place 1: that at 0 has nothing before it.
  static double sum_at(const std::vector<ScoredToken>& scored, const std::vector<size_t>& places) {
    double sum = 0;
    for (const size_t place : places) sum += place == 0 ? 0 : scored[place - 1].log_probability;
    return sum;
  }

  const TaskModel& model_;
  ScoreOptions options_;
  const Encoder* encoder_;
  const Decoder* decoder_;
  bool shared_alone_;
};

nlohmann::ordered_json share_json(const std::vector<double>& items) {
  const Share share = bootstrapped(items);
  return {{"pairs", items.size()},
          {"preferred", share.value},
          {"interval", {share.low, share.high}},
          {"ties", std::ranges::count(items, 0.5)}};
}

}  // namespace

TaskResult evaluate_pairs(const TaskModel& model, const TaskConfig& options,
                          const ItemListener& listener) {
  const PairScorer scorer(model, options);
  std::vector<Pair> pairs;
  read_items(options, [&](JsonObject& object) {
    pairs.push_back(pair_of(object));
    pairs.back().tokens = scorer.tokens_of_pair(pairs.back(), object);
  });
  std::vector<double> all;
  std::map<std::string, std::vector<double>> by_group;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto [first, second] = scorer.scores(pairs[i].tokens);
    const double preferred = first > second ? 1.0 : first == second ? 0.5 : 0.0;
    all.push_back(preferred);
    if (!pairs[i].group.empty()) by_group[pairs[i].group].push_back(preferred);
    if (listener) {
      listener(i + 1, pairs.size(),
               {{"group", pairs[i].group}, {"first", first}, {"second", second}});
    }
  }
  TaskResult result;
  result.numbers = share_json(all);
  result.numbers["tokens"] = scorer.shared_alone() ? "shared" : "all";
  for (const auto& [group, items] : by_group) result.numbers["groups"][group] = share_json(items);
  result.measure = "preferred";
  result.value = result.numbers["preferred"].get<double>();
  return result;
}

}  // namespace lmtrain

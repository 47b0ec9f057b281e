// How a folder of the sentence-transformers package makes one vector of a text's tokens (Reimers
// and Gurevych, "Sentence-BERT", 2019): modules.json, 1_Pooling and sentence_bert_config.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/choice.h"
#include "models/huggingface/companions.h"

namespace lmtrain {

// In the order in which the package joins them where a model has several.
enum class Pooling { kFirst, kMax, kMean, kMeanBySquareRoot, kWeightedMean, kLast };
constexpr auto choice_names(Pooling) {
  return std::to_array<std::string_view>(
      {"cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"});
}

struct SentencePooling {
  std::vector<Pooling> poolings;
  bool normalises = false;            // to length 1
  std::optional<int64_t> max_tokens;  // to which texts are cut
  std::string prompt;                 // before each text
};

// Nothing where the folder was none of that package. Throws DataError for a module or a setting
// that lmtrain does not have.
std::optional<SentencePooling> sentence_pooling_of(const Companions& companions);

}  // namespace lmtrain

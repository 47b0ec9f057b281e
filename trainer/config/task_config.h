// One task of `lmtrain eval`, or an entry of the config's eval.tasks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/config_fields.h"

namespace lmtrain {

enum class TaskKind { kPerplexity, kChoice, kPairs, kGenerate };
constexpr auto choice_names(TaskKind) {
  return std::to_array<std::string_view>({"perplexity", "choice", "pairs", "generate"});
}

// Which tokens of the two sentences of a pair count. kShared: those that both have, as CrowS-Pairs
// counts (Nangia et al., 2020); kAuto: kShared for encoders, kAll for decoders.
enum class PairTokens { kAuto, kShared, kAll };
constexpr auto choice_names(PairTokens) {
  return std::to_array<std::string_view>({"auto", "shared", "all"});
}

struct TaskConfig {
  TaskKind task = TaskKind::kPerplexity;
  std::string path;
  std::string name;
  int64_t limit = 0;
  int64_t window = 0;
  int64_t stride = 0;
  std::string delimiter = " ";
  PairTokens pair_tokens = PairTokens::kAuto;
  int64_t max_new_tokens = 64;
  std::vector<std::string> stops = {"\n"};

  // The name in records: as configured, else that of the file.
  std::string shown_name() const {
    return name.empty() ? std::filesystem::path(path).stem().string() : name;
  }

  void describe(Fields& f) {
    f.choice("task", task,
             "perplexity: how well a text is predicted (a text file, or .jsonl with \"text\"); "
             "choice: which of several answers is likeliest (.jsonl with \"context\", \"choices\" "
             "and \"answer\"); pairs: which of two sentences is likelier (.jsonl in the form of "
             "BLiMP or CrowS-Pairs, or with \"first\" and \"second\"); generate: whether the right "
             "answer is written (.jsonl with \"prompt\" and \"answer\" or \"answers\").");
    f.text("path", path, "File of the task.");
    f.text("name", name, "Its name in records; empty takes that of the file.");
    f.integer("limit", limit, {.min = 0}, "Items that are read at most; 0: all.");
    f.integer("window", window, {.min = 0, .max = 1 << 20},
              "perplexity: tokens of a window; 0: as many as the model has positions.");
    f.integer("stride", stride, {.min = 0, .max = 1 << 20},
              "perplexity: tokens from the beginning of a window to that of the next; 0: half a "
              "window. Each token counts once, in the first window that holds it.");
    f.text("delimiter", delimiter, "choice: text between context and choice.");
    f.choice("pair_tokens", pair_tokens,
             "pairs: whether all tokens of the sentences count or those that both share; auto: "
             "shared for encoders, all for decoders.");
    f.integer("max_new_tokens", max_new_tokens, {.min = 1, .max = 1 << 20},
              "generate: new tokens at most.");
    f.texts("stops", stops, "generate: texts before which an answer ends.");
  }
};

}  // namespace lmtrain

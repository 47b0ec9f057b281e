// Config section `data.labelled`: how texts and their labels are read.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/config_fields.h"

namespace lmtrain {

// What a model is trained for. All but the first need labelled texts; the labels of instructions
// are their answers.
enum class TrainingTask {
  kLanguageModeling,
  kInstructionTuning,
  kClassification,
  kRegression,
  kTagging,
  kQuestionAnswering
};
constexpr auto choice_names(TrainingTask) {
  return std::to_array<std::string_view>({"language_modeling", "instruction_tuning",
                                          "classification", "regression", "tagging",
                                          "question_answering"});
}

// Whether the model learns to write text, with the head that it was pretrained with.
constexpr bool predicts_text(TrainingTask task) {
  return task == TrainingTask::kLanguageModeling || task == TrainingTask::kInstructionTuning;
}

// The files of known collections. kFields: by the names of columns or keys.
enum class LabelledLayout {
  kFields,
  kCola,
  kSst2,
  kMrpc,
  kStsb,
  kQqp,
  kMnli,
  kQnli,
  kRte,
  kWnli,
  kAfqmc,
  kTnews,
  kIflytek,
  kCmnli,
  kOcnli,
  kCsl,
  kConll,
  kSquad
};
constexpr auto choice_names(LabelledLayout) {
  return std::to_array<std::string_view>({"fields", "cola", "sst2", "mrpc", "stsb", "qqp", "mnli",
                                          "qnli", "rte", "wnli", "afqmc", "tnews", "iflytek",
                                          "cmnli", "ocnli", "csl", "conll", "squad"});
}

// Which of two texts loses tokens where both are too long together, by transformers' names: the
// longer one, the first, or the second.
enum class LabelledTruncation { kLongestFirst, kOnlyFirst, kOnlySecond };
constexpr auto choice_names(LabelledTruncation) {
  return std::to_array<std::string_view>({"longest_first", "only_first", "only_second"});
}

// What of an instruction with its answer is learned.
enum class LearnedPart { kAnswers, kAll };
constexpr auto choice_names(LearnedPart) {
  return std::to_array<std::string_view>({"answers", "all"});
}

struct LabelledConfig {
  LabelledLayout layout = LabelledLayout::kFields;
  std::string text = "text";
  std::string pair;
  std::string label = "label";
  std::string tokens = "tokens";
  std::string tags = "tags";
  std::string question = "question";
  std::string context = "context";
  std::string answers = "answers";
  std::string messages = "messages";
  std::string prompt = "{prompt}";
  std::string completion = "{completion}";
  std::string chat_template;
  LearnedPart learn = LearnedPart::kAnswers;
  bool pack = true;
  std::vector<std::string> held_out;
  LabelledTruncation truncation = LabelledTruncation::kLongestFirst;
  int64_t stride = 128;
  bool group_by_length = true;
  bool balanced = false;
  std::vector<double> class_weights;

  void describe(Fields& f) {
    f.choice("layout", layout,
             "Of a known collection's files: those of GLUE (cola to wnli, .tsv), of CLUE (afqmc to "
             "csl, .json with an object a line), conll (a word and its tag a line, blank lines "
             "between sentences), squad (.json). fields: .csv, .tsv or .jsonl with the columns or "
             "keys below.");
    f.text("text", text, "classification, regression: the column or key of the text.");
    f.text("pair", pair, "The same of a second text; empty: there is none.");
    f.text("label", label, "The same of the label, or of the number of a regression.");
    f.text("tokens", tokens, "tagging: the words, a list in .jsonl, else separated by spaces.");
    f.text("tags", tags, "tagging: as many tags; those like B-PER and I-PER mark spans.");
    f.text("question", question, "question_answering: the question.");
    f.text("context", context, "question_answering: the passage that holds the answer.");
    f.text("answers", answers,
           "question_answering: the answers, in .jsonl as SQuAD has them (texts and the characters "
           "before them) or as texts; in tables one text. Without any, the passage has none.");
    f.text("messages", messages,
           "instruction_tuning: the key of a chat in .jsonl, a list of messages with role and "
           "content. A line without it is a prompt with its completion.");
    f.text("prompt", prompt,
           "instruction_tuning: what stands before the answer; {NAME} stands for a column or key, "
           "{{ for a brace.");
    f.text("completion", completion, "The same of the answer, behind which the end token comes.");
    f.text("chat_template", chat_template,
           "instruction_tuning: a file with the Jinja template that makes a text of a chat's "
           "messages; empty: the one that the model or tokenizer.path came with.")
        .fixed_on_resume();
    f.choice("learn", learn,
             "instruction_tuning: whether a model learns to write the answers alone, or the whole "
             "text.")
        .fixed_on_resume();
    f.boolean("pack", pack,
              "instruction_tuning: whether a sequence holds as many texts as fit in, each of which "
              "sees itself alone with positions from 0; false: one, padded to the longest of its "
              "batch.")
        .fixed_on_resume();
    f.texts("held_out", held_out,
            "Files for validation, of the same form as data.sources; without any, "
            "data.validation_fraction of the texts is held out, of each label alike.");
    f.choice("truncation", truncation,
             "Which of two texts is cut where both are longer than data.sequence_length; a passage "
             "is read in windows instead.")
        .fixed_on_resume();
    f.integer("stride", stride, {.min = 0, .max = 1 << 20},
              "question_answering: tokens that a window of a passage shares with the one before.")
        .fixed_on_resume();
    f.boolean("group_by_length", group_by_length,
              "Whether texts of about the same length come in one batch, so that little is padded.")
        .fixed_on_resume();
    f.boolean("balanced", balanced,
              "classification, tagging: whether rare labels weigh more: all texts over the number "
              "of labels and the texts of that label.")
        .fixed_on_resume();
    f.reals("class_weights", class_weights, 0, {.min = 0.0, .max = 1e6},
            "The weight of each label in the loss, in the order of model.labels; empty: 1.")
        .fixed_on_resume();
  }
};

}  // namespace lmtrain

#include "data/labelled/labelled_reader.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/csv.h"
#include "base/error.h"
#include "base/log.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "base/utf8.h"
#include "data/chat/chat.h"
#include "data/labelled/instructions.h"
#include "data/line_reader.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kMaxDepth = 32;
constexpr size_t kLargestFile = size_t{2} << 30;  // of those that are parsed whole

enum class Form { kTable, kUnquotedTable, kJsonLines, kWordsALine, kSquad };

// How a collection's files are read. Columns of a table without a header are numbered from 0.
struct Layout {
  LabelledLayout layout;
  TrainingTask task;
  Form form;
  const char* text;
  const char* pair;  // "": none
  const char* label;
  bool has_header = true;
};

using enum TrainingTask;
constexpr Layout kLayouts[] = {
    {LabelledLayout::kCola, kClassification, Form::kUnquotedTable, "3", "", "1", false},
    {LabelledLayout::kSst2, kClassification, Form::kUnquotedTable, "sentence", "", "label"},
    {LabelledLayout::kMrpc, kClassification, Form::kUnquotedTable, "#1 String", "#2 String",
     "Quality"},
    {LabelledLayout::kStsb, kRegression, Form::kUnquotedTable, "sentence1", "sentence2", "score"},
    {LabelledLayout::kQqp, kClassification, Form::kUnquotedTable, "question1", "question2",
     "is_duplicate"},
    {LabelledLayout::kMnli, kClassification, Form::kUnquotedTable, "sentence1", "sentence2",
     "gold_label"},
    {LabelledLayout::kQnli, kClassification, Form::kUnquotedTable, "question", "sentence", "label"},
    {LabelledLayout::kRte, kClassification, Form::kUnquotedTable, "sentence1", "sentence2",
     "label"},
    {LabelledLayout::kWnli, kClassification, Form::kUnquotedTable, "sentence1", "sentence2",
     "label"},
    {LabelledLayout::kAfqmc, kClassification, Form::kJsonLines, "sentence1", "sentence2", "label"},
    {LabelledLayout::kTnews, kClassification, Form::kJsonLines, "sentence", "", "label_desc"},
    {LabelledLayout::kIflytek, kClassification, Form::kJsonLines, "sentence", "", "label_des"},
    {LabelledLayout::kCmnli, kClassification, Form::kJsonLines, "sentence1", "sentence2", "label"},
    {LabelledLayout::kOcnli, kClassification, Form::kJsonLines, "sentence1", "sentence2", "label"},
    {LabelledLayout::kCsl, kClassification, Form::kJsonLines, "keyword", "abst", "label"},
    {LabelledLayout::kConll, kTagging, Form::kWordsALine, "", "", ""},
    {LabelledLayout::kSquad, kQuestionAnswering, Form::kSquad, "", "", ""},
};

const Layout* find_layout(LabelledLayout layout) {
  const auto* const found = std::ranges::find(kLayouts, layout, &Layout::layout);
  return found == std::end(kLayouts) ? nullptr : found;
}

// The annotators of an inference set agreed on no label.
constexpr std::string_view kNoLabel = "-";

// Of a regression: its square is far from what fp32 holds.
constexpr double kLargestNumber = 1e9;

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

std::string place_of(const fs::path& file, int64_t line) { return cat(file.string(), ":", line); }

void require_utf8(std::string_view text, const std::string& place) {
  const size_t at = find_invalid_utf8(text);
  if (at < text.size())
    throw DataError(
        cat(place, ": byte ", at + 1, " is not UTF-8; convert the file, as with iconv"));
}

// The first byte of the character `index` characters behind the begin; nothing where the text is
// shorter.
std::optional<int64_t> byte_of_character(std::string_view text, int64_t index) {
  int64_t characters = -1;
  for (size_t at = 0; at < text.size(); ++at) {
    if (starts_character(text[at]) && ++characters == index) return static_cast<int64_t>(at);
  }
  if (++characters == index) return static_cast<int64_t>(text.size());
  return std::nullopt;
}

class Reader {
 public:
  Reader(const fs::path& file, TrainingTask task, const LabelledConfig& config,
         const LabelledVisitor& visit)
      : file_(file), task_(task), config_(config), visit_(visit) {
    if (task != kInstructionTuning) return;
    prompt_.emplace(config.prompt, "data.labelled.prompt");
    completion_.emplace(config.completion, "data.labelled.completion");
  }

  void read() {
    const Layout* const layout = find_layout(config_.layout);
    if (layout != nullptr) {
      text_key_ = layout->text;
      pair_key_ = layout->pair;
      label_key_ = layout->label;
    }
    switch (layout != nullptr ? layout->form : form_by_name()) {
      case Form::kTable:
        read_table();
        break;
      case Form::kUnquotedTable:
        read_unquoted_table(layout->has_header);
        break;
      case Form::kJsonLines:
        read_json_lines();
        break;
      case Form::kWordsALine:
        read_words();
        break;
      case Form::kSquad:
        read_squad();
        break;
    }
    if (num_short_lines_ > 0) {
      log_warn(cat(file_.string(), ": ", counted(num_short_lines_, "line"),
                   " without all columns left out"));
    }
    if (num_unlabelled_ > 0) {
      log_info(cat(file_.string(), ": ", counted(num_unlabelled_, "text"),
                   " without an agreed label (-) left out"));
    }
  }

 private:
  // Without the ending of a compressed file.
  std::string plain_name() const {
    std::string name = file_.filename().string();
    for (const char* packed : {".gz", ".zst"})
      if (name.ends_with(packed)) name.resize(name.size() - std::string_view(packed).size());
    return name;
  }

  Form form_by_name() const {
    const std::string name = plain_name();
    if (name.ends_with(".csv") || name.ends_with(".tsv")) return Form::kTable;
    if (name.ends_with(".jsonl") || name.ends_with(".ndjson")) return Form::kJsonLines;
    if (name.ends_with(".conll") || name.ends_with(".bio")) return Form::kWordsALine;
    throw DataError(
        cat(file_.string(),
            ": labelled texts are read from .csv, .tsv and .jsonl, and from the files of "
            "known collections (data.labelled.layout)"));
  }

  char separator() const { return plain_name().ends_with(".tsv") ? '\t' : ','; }

  void read_table() {
    LineReader lines(file_);
    CsvTableReader rows(CsvRecords([&](std::string_view& line) { return lines.next(line); },
                                   file_.string(), separator()));
    const auto column_of = [&](const std::string& name) {
      const auto found = std::ranges::find(rows.columns(), name);
      if (found == rows.columns().end()) {
        throw DataError(cat(place_of(file_, 1), ": there is no column ", show_text(name),
                            "; the columns are ", join(rows.columns(), ", "),
                            "; set data.labelled to them"));
      }
      return static_cast<size_t>(found - rows.columns().begin());
    };
    if (rows.columns().empty()) return;
    std::vector<size_t> columns;
    for (const std::string& name : names_of_parts()) columns.push_back(column_of(name));
    std::vector<std::string> fields;
    while (rows.next(fields)) {
      std::vector<std::string> parts;
      for (const size_t column : columns) parts.push_back(fields[column]);
      add_row(std::move(parts), rows.place());
    }
  }

  // GLUE's tables: tabs separate, and quotes are letters.
  void read_unquoted_table(bool has_header) {
    LineReader lines(file_);
    std::vector<size_t> columns;
    std::string_view line;
    while (lines.next(line)) {
      const std::string place = place_of(file_, lines.line_number());
      require_utf8(line, place);
      const std::vector<std::string> fields = cut_at_tabs(without_line_break(line));
      if (columns.empty()) {
        columns = columns_of(fields, has_header, place);
        if (has_header) continue;
      }
      if (*std::ranges::max_element(columns) >= fields.size()) {
        ++num_short_lines_;
        continue;
      }
      std::vector<std::string> parts;
      for (const size_t column : columns) parts.push_back(fields[column]);
      add_row(std::move(parts), place);
    }
  }

  std::vector<size_t> columns_of(const std::vector<std::string>& fields, bool has_header,
                                 const std::string& place) const {
    std::vector<size_t> columns;
    for (const std::string& name : names_of_parts()) {
      if (!has_header) {
        columns.push_back(static_cast<size_t>(parse_integer(name).value_or(0)));
        continue;
      }
      const auto found = std::ranges::find(fields, name);
      if (found == fields.end()) {
        throw DataError(cat(place, ": data.labelled.layout = ", config_.layout, " needs a column ",
                            show_text(name), "; the columns are ", join(fields, ", ")));
      }
      columns.push_back(static_cast<size_t>(found - fields.begin()));
    }
    return columns;
  }

  static std::vector<std::string> cut_at_tabs(std::string_view line) {
    std::vector<std::string> fields;
    for (;;) {
      const size_t tab = line.find('\t');
      fields.emplace_back(line.substr(0, tab));
      if (tab == std::string_view::npos) return fields;
      line.remove_prefix(tab + 1);
    }
  }

  // In the order in which add_row takes them.
  std::vector<std::string> names_of_parts() const {
    if (task_ == kInstructionTuning) {
      std::vector<std::string> names = prompt_->names();
      names.insert(names.end(), completion_->names().begin(), completion_->names().end());
      return names;
    }
    const bool is_known = find_layout(config_.layout) != nullptr;
    const std::string text = is_known ? text_key_ : config_.text;
    const std::string pair = is_known ? pair_key_ : config_.pair;
    const std::string label = is_known ? label_key_ : config_.label;
    if (task_ == kTagging) return {config_.tokens, config_.tags};
    if (task_ == kQuestionAnswering) return {config_.question, config_.context, config_.answers};
    if (pair.empty()) return {text, label};
    return {text, label, pair};
  }

  void add_row(std::vector<std::string> parts, const std::string& place) {
    for (const std::string& part : parts) require_utf8(part, place);
    LabelledText text;
    text.place = place;
    if (task_ == kInstructionTuning) {
      const std::vector<std::string> names = names_of_parts();
      fill(text, [&](const std::string& name) {
        return parts[static_cast<size_t>(std::ranges::find(names, name) - names.begin())];
      });
    } else if (task_ == kTagging) {
      text.words = split_words(parts[0]);
      text.tags = split_words(parts[1]);
    } else if (task_ == kQuestionAnswering) {
      text.texts = {std::move(parts[0]), std::move(parts[1])};
      if (!parts[2].empty()) add_found_answer(text, parts[2]);
    } else {
      text.label = std::move(parts[1]);
      text.texts = {std::move(parts[0]), parts.size() > 2 ? std::move(parts[2]) : ""};
    }
    add(std::move(text));
  }

  void read_json_lines() {
    LineReader lines(file_);
    std::string_view line;
    while (lines.next(line)) {
      if (line.find_first_not_of(" \t\r\n") == std::string_view::npos) continue;
      const std::string place = place_of(file_, lines.line_number());
      const json value = parse_strict_json(line, place, kMaxDepth);
      JsonObject object(value, place);
      add_object(object, place);
    }
  }

  void add_object(JsonObject& object, const std::string& place) {
    LabelledText text;
    text.place = place;
    const std::vector<std::string> names = names_of_parts();
    if (task_ == kInstructionTuning) {
      add_instruction(text, object);
    } else if (task_ == kTagging) {
      text.words = texts_of(object, names[0]);
      text.tags = texts_of(object, names[1]);
    } else if (task_ == kQuestionAnswering) {
      text.texts = {object.text(names[0]), object.text(names[1])};
      add_answers(text, object.required(names[2]));
    } else {
      text.texts.text = text_of(object, names[0]);
      text.label = text_of(object, names[1]);
      if (names.size() > 2) text.texts.pair = text_of(object, names[2]);
    }
    add(std::move(text));
  }

  // A chat; or a prompt with its completion, which may be messages of a chat too.
  void add_instruction(LabelledText& text, JsonObject& object) const {
    if (const json* const messages = object.find(config_.messages)) {
      text.messages = chat_messages(*messages, cat(object.place(), ": ", config_.messages));
      return;
    }
    const json* const prompt = object.find(prompt_->only_name());
    const json* const completion = object.find(completion_->only_name());
    if (prompt != nullptr && completion != nullptr && prompt->is_array()) {
      text.messages = chat_messages(*prompt, cat(object.place(), ": ", prompt_->only_name()));
      text.num_asked = text.messages.size();
      for (ChatMessage& message :
           chat_messages(*completion, cat(object.place(), ": ", completion_->only_name())))
        text.messages.push_back(std::move(message));
      return;
    }
    for (const std::string& name : names_of_parts()) {
      if (object.find(name) != nullptr) continue;
      object.fail(name, cat("is missing, and so is ", show_text(config_.messages),
                            "; set data.labelled.messages, or prompt and completion, to the keys "
                            "of the file"));
    }
    fill(text, [&](const std::string& name) { return text_of(object, name); });
  }

  void fill(LabelledText& text, const std::function<std::string(const std::string&)>& value) const {
    text.texts = {prompt_->filled(value), completion_->filled(value)};
  }

  // A text, a number or a truth value as a text; keywords as one.
  static std::string text_of(JsonObject& object, const std::string& key) {
    const json& value = object.required(key);
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number() || value.is_boolean()) return value.dump();
    if (value.is_array()) return join(texts_of(object, key), " ");
    object.fail(key, cat("expected a text or a number, found ", show_value(value)));
  }

  static std::vector<std::string> texts_of(JsonObject& object, const std::string& key) {
    const json& list = object.required(key);
    std::vector<std::string> texts;
    if (!list.is_array()) object.fail(key, cat("expected a list, found ", show_value(list)));
    for (const json& one : list) {
      if (!one.is_string() && !one.is_number_integer())
        object.fail(key, cat("expected a list of texts, found ", show_value(one), " in it"));
      texts.push_back(one.is_string() ? one.get<std::string>() : one.dump());
    }
    return texts;
  }

  // {"text": [..], "answer_start": [..]}, a list of {"text": .., "answer_start": ..}, or texts.
  void add_answers(LabelledText& text, const json& answers) {
    if (answers.is_object()) {
      JsonObject object(answers, cat(text.place, ": ", config_.answers));
      const std::vector<std::string> texts = texts_of(object, "text");
      const json& starts = object.required("answer_start");
      if (!starts.is_array() || starts.size() != texts.size())
        object.fail("answer_start", "needs a number for each text");
      for (size_t i = 0; i < texts.size(); ++i)
        add_placed_answer(text, texts[i], json_integer(starts[i], 0, int64_t{1} << 40, text.place));
      return;
    }
    if (answers.is_string()) {
      if (!answers.get_ref<const std::string&>().empty())
        add_found_answer(text, answers.get<std::string>());
      return;
    }
    if (!answers.is_array())
      throw DataError(cat(text.place, ": ", config_.answers, ": expected answers, found ",
                          show_value(answers)));
    for (const json& one : answers) {
      if (one.is_string()) {
        add_found_answer(text, one.get<std::string>());
        continue;
      }
      JsonObject object(one, cat(text.place, ": ", config_.answers));
      add_placed_answer(
          text, object.text("text"),
          json_integer(object.required("answer_start"), 0, int64_t{1} << 40, object.place()));
    }
  }

  // `start` counts characters.
  void add_placed_answer(LabelledText& text, const std::string& answer, int64_t start) {
    const std::string& passage = text.texts.pair;
    const std::optional<int64_t> begin = byte_of_character(passage, start);
    if (!begin || passage.compare(static_cast<size_t>(*begin), answer.size(), answer) != 0) {
      throw DataError(cat(text.place, ": the answer ", show_text(answer), " does not stand behind ",
                          start, " characters of the passage"));
    }
    text.answers.push_back({answer, *begin});
  }

  static void add_found_answer(LabelledText& text, const std::string& answer) {
    const size_t begin = text.texts.pair.find(answer);
    if (begin == std::string::npos) {
      throw DataError(
          cat(text.place, ": the answer ", show_text(answer), " does not stand in the passage"));
    }
    text.answers.push_back({answer, static_cast<int64_t>(begin)});
  }

  void read_words() {
    LineReader lines(file_);
    LabelledText text;
    std::string_view line;
    const auto finish = [&] {
      if (!text.words.empty()) add(std::move(text));
      text = {};
    };
    while (lines.next(line)) {
      const std::string place = place_of(file_, lines.line_number());
      require_utf8(line, place);
      const std::vector<std::string> columns = split_words(line);
      if (columns.empty()) {
        finish();
        continue;
      }
      if (columns.front() == "-DOCSTART-") continue;
      if (columns.size() < 2)
        throw DataError(cat(place, ": expected a word and its tag, found ", show_text(line)));
      if (text.words.empty()) text.place = place;
      text.words.push_back(columns.front());
      text.tags.push_back(columns.back());
    }
    finish();
  }

  void read_squad() {
    LineReader lines(file_);
    std::string whole;
    std::string_view line;
    while (lines.next(line)) {
      whole += line;
      if (whole.size() > kLargestFile)
        throw DataError(cat(file_.string(), " is over 2 GiB; cut it, or make .jsonl of it"));
    }
    const json value = parse_strict_json(whole, file_.string(), kMaxDepth);
    JsonObject root(value, file_.string());
    for (const json& article : list_of(root, "data")) {
      JsonObject of_article(article, file_.string());
      for (const json& paragraph : list_of(of_article, "paragraphs")) {
        JsonObject of_paragraph(paragraph, file_.string());
        const std::string passage = of_paragraph.text("context");
        for (const json& question : list_of(of_paragraph, "qas")) {
          JsonObject of_question(question, file_.string());
          LabelledText text;
          const json* const id = of_question.find("id");
          text.place = cat(file_.string(), ": question ",
                           id != nullptr && id->is_string() ? id->get<std::string>() : "");
          text.texts = {of_question.text("question"), passage};
          if (!of_question.boolean("is_impossible", false))
            add_answers(text, of_question.required("answers"));
          add(std::move(text));
        }
      }
    }
  }

  static const json& list_of(JsonObject& object, const std::string& key) {
    const json& list = object.required(key);
    if (!list.is_array()) object.fail(key, cat("expected a list, found ", show_value(list)));
    return list;
  }

  void add(LabelledText&& text) {
    if (task_ == kTagging) {
      if (text.words.size() != text.tags.size()) {
        throw DataError(cat(text.place, ": ", counted(std::ssize(text.words), "word"), ", but ",
                            counted(std::ssize(text.tags), "tag")));
      }
      if (text.words.empty()) return;
      const auto blank = std::ranges::find_if(text.words, is_blank);
      if (blank != text.words.end())
        throw DataError(cat(text.place, ": word ", blank - text.words.begin() + 1, " is empty"));
      if (std::ranges::any_of(text.tags, is_blank))
        throw DataError(cat(text.place, ": a tag is empty"));
    } else if (task_ == kInstructionTuning) {
      require_answer(text);
    } else if (is_blank(text.texts.text)) {
      throw DataError(cat(text.place, ": the text is empty"));
    }
    const bool has_label = task_ == kClassification || task_ == kRegression;
    const bool is_of_collection = find_layout(config_.layout) != nullptr;
    if (has_label && is_of_collection && text.label == kNoLabel) {
      ++num_unlabelled_;
      return;
    }
    if (has_label && is_blank(text.label)) throw DataError(cat(text.place, ": the label is empty"));
    if (task_ == kRegression) {
      const std::optional<double> value = parse_number(text.label);
      if (!value) throw DataError(cat(text.place, ": ", show_text(text.label), " is not a number"));
      if (std::abs(*value) > kLargestNumber) {
        throw DataError(cat(text.place, ": ", show_text(text.label),
                            " is too large to learn, since ",
                            "its squared error counts; scale the numbers to about 1"));
      }
      text.value = *value;
    }
    visit_(std::move(text));
  }

  static void require_answer(const LabelledText& text) {
    if (text.messages.empty()) {
      if (!is_blank(text.texts.pair)) return;
      throw DataError(cat(text.place, ": the completion is empty"));
    }
    const auto asked = static_cast<std::ptrdiff_t>(text.num_asked);
    if (std::any_of(text.messages.begin() + asked, text.messages.end(),
                    [](const ChatMessage& message) { return message.role == kAssistant; }))
      return;
    throw DataError(cat(text.place,
                        ": no message has the role assistant, whose answers are "
                        "learned"));
  }

  const fs::path& file_;
  TrainingTask task_;
  const LabelledConfig& config_;
  const LabelledVisitor& visit_;
  std::optional<FieldFormat> prompt_;  // of instructions, as the next
  std::optional<FieldFormat> completion_;
  std::string text_key_;
  std::string pair_key_;
  std::string label_key_;
  int64_t num_short_lines_ = 0;
  int64_t num_unlabelled_ = 0;
};

}  // namespace

bool suits(LabelledLayout layout, TrainingTask task) {
  const Layout* const found = find_layout(layout);
  return found == nullptr || found->task == task;
}

void read_labelled(const fs::path& file, TrainingTask task, const LabelledConfig& config,
                   const LabelledVisitor& visit) {
  Reader(file, task, config, visit).read();
}

}  // namespace lmtrain

#include "data/labelled/prepare_labelled.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/strict_json.h"
#include "base/text.h"
#include "data/cache_entry.h"
#include "data/labelled/encode_examples.h"
#include "data/labelled/labelled_reader.h"
#include "data/source_files.h"
#include "data/tokenizer/worker_pool.h"
#include "data/validation_split.h"

namespace lmtrain {
namespace {

namespace fs = std::filesystem;

// Raise it when the same texts would give other examples.
constexpr int kVersion = 2;

constexpr const char* kTrain = "train.examples";
constexpr const char* kValidation = "validation.examples";
constexpr const char* kLabels = "labels.json";
constexpr const char* kPassages = "validation.jsonl";
constexpr const char* kHash = "hash";  // of the two files above

bool names_labels(TrainingTask task) {
  return task == TrainingTask::kClassification || task == TrainingTask::kTagging;
}

Tokenizer tokenizer_of(const TokenizerConfig& config) {
  if (config.path.empty())
    throw ConfigError(
        "tokenizer.path must name a tokenizer, or model.init_from a model that has one: none is "
        "trained on labelled texts");
  return Tokenizer::load(config.path);
}

std::vector<SourceFile> files_of(const std::vector<std::string>& paths, const fs::path& cache) {
  std::vector<SourceConfig> sources;
  for (const std::string& path : paths) {
    SourceConfig source;
    source.path = path;
    source.format = FormatChoice::kText;
    sources.push_back(std::move(source));
  }
  return list_source_files(sources, {cache});
}

std::vector<SourceFile> training_files(const DataConfig& data) {
  std::vector<std::string> paths;
  for (const SourceConfig& source : data.sources) paths.push_back(source.path);
  return files_of(paths, data.cache);
}

std::vector<SourceFile> held_out_files(const DataConfig& data) {
  const std::vector<std::string>& paths = data.labelled.held_out;
  return paths.empty() ? std::vector<SourceFile>() : files_of(paths, data.cache);
}

std::vector<LabelledText> read_all(const std::vector<SourceFile>& files, const DataConfig& data,
                                   TrainingTask task) {
  std::vector<LabelledText> texts;
  for (const SourceFile& file : files) {
    read_labelled(file.path, task, data.labelled,
                  [&](LabelledText&& text) { texts.push_back(std::move(text)); });
  }
  return texts;
}

bool are_numbers(const std::set<std::string>& names) {
  return std::ranges::all_of(
      names, [](const std::string& name) { return parse_integer(name).has_value(); });
}

// Those of the texts: numbers by their size, others by their bytes.
std::vector<std::string> names_in(const std::vector<LabelledText>& texts, TrainingTask task) {
  std::set<std::string> names;
  for (const LabelledText& text : texts) {
    if (task == TrainingTask::kClassification) names.insert(text.label);
    names.insert(text.tags.begin(), text.tags.end());
  }
  std::vector<std::string> sorted(names.begin(), names.end());
  if (are_numbers(names)) {
    std::ranges::sort(sorted, {}, [](const std::string& name) { return *parse_integer(name); });
  }
  return sorted;
}

uint64_t hash_of(const LabelledText& text) {
  uint64_t hash = hash_text(text.texts.text);
  hash = hash_text(text.texts.pair, hash);
  for (const std::string& word : text.words) hash = hash_text(word, hash);
  for (const ChatMessage& message : text.messages)
    hash = hash_text(message.content, hash_text(message.role, hash));
  return hash;
}

// About `count` of texts that are sorted by their hashes, so that equal texts stay together.
size_t together(const std::vector<LabelledText>& texts, const std::vector<size_t>& places,
                size_t count) {
  if (count == 0 || count >= places.size()) return count;
  const uint64_t last = hash_of(texts[places[count - 1]]);
  size_t end = count;
  while (end < places.size() && hash_of(texts[places[end]]) == last) ++end;
  if (end < places.size()) return end;
  while (count > 0 && hash_of(texts[places[count - 1]]) == last) --count;
  return count;
}

// Moves `fraction` of the texts to validation, of each label alike, those whose hashes are
// smallest; of passages all questions together. In both parts the order stays.
std::vector<LabelledText> held_out_share(std::vector<LabelledText>& texts, TrainingTask task,
                                         double fraction) {
  std::vector<bool> is_held_out(texts.size(), false);
  if (task == TrainingTask::kQuestionAnswering) {
    for (size_t i = 0; i < texts.size(); ++i)
      is_held_out[i] = is_for_validation(texts[i].texts.pair, fraction);
  } else {
    std::map<std::string, std::vector<size_t>> by_label;
    for (size_t i = 0; i < texts.size(); ++i) {
      const bool has_class = task == TrainingTask::kClassification;
      by_label[has_class ? texts[i].label : ""].push_back(i);
    }
    for (auto& [label, places] : by_label) {
      std::ranges::stable_sort(places, {}, [&](size_t place) { return hash_of(texts[place]); });
      const auto count =
          static_cast<size_t>(std::llround(fraction * static_cast<double>(places.size())));
      const size_t end = together(texts, places, count);
      for (size_t i = 0; i < end; ++i) is_held_out[places[i]] = true;
    }
  }
  std::vector<LabelledText> train;
  std::vector<LabelledText> validation;
  for (size_t i = 0; i < texts.size(); ++i)
    (is_held_out[i] ? validation : train).push_back(std::move(texts[i]));
  texts = std::move(train);
  return validation;
}

std::vector<Example> encode_all(const std::vector<LabelledText>& texts, const LabelNames& names,
                                const Tokenizer& tokenizer, const EncodingRule& rule,
                                WorkerPool& pool, const char* what) {
  std::vector<EncodedExamples> encoded(texts.size());
  // Of the first text that has one, whichever thread comes first.
  std::map<size_t, std::string> errors;
  std::mutex mutex;
  pool.run([&](int thread) {
    Tokenizer::Encoder encoder(tokenizer);
    for (auto i = static_cast<size_t>(thread); i < texts.size();
         i += static_cast<size_t>(pool.num_threads())) {
      try {
        encoded[i] = encode_examples(texts[i], names, tokenizer, encoder, rule);
      } catch (const DataError& error) {
        const std::lock_guard lock(mutex);
        errors[i] = error.what();
        return;
      }
    }
  });
  if (!errors.empty()) throw DataError(errors.begin()->second);
  std::vector<Example> examples;
  int64_t num_cut = 0;
  int64_t num_without_label = 0;
  for (size_t i = 0; i < encoded.size(); ++i) {
    num_cut += encoded[i].num_cut;
    num_without_label += encoded[i].num_without_label;
    for (Example& example : encoded[i].examples) {
      example.text = static_cast<int64_t>(i);
      examples.push_back(std::move(example));
    }
  }
  if (num_cut > 0) {
    log_info(cat(with_commas(num_cut), " of ", counted(std::ssize(texts), "text"), " for ", what,
                 " are longer than data.sequence_length = ", rule.max_tokens,
                 rule.task == TrainingTask::kQuestionAnswering
                     ? "; their passages are read in several windows"
                 : rule.task == TrainingTask::kTagging ? "; they are read in several parts"
                                                       : " and were cut"));
  }
  if (num_without_label > 0) {
    log_warn(cat(with_commas(num_without_label), " of ", counted(std::ssize(texts), "text"),
                 " for ", what, " were left out: of their answers nothing lies within ",
                 "data.sequence_length = ", rule.max_tokens));
  }
  if (examples.empty()) {
    throw DataError(cat("of the texts for ", what, " no answer lies within data.sequence_length = ",
                        rule.max_tokens, "; raise it"));
  }
  return examples;
}

std::string passages_text(const std::vector<LabelledText>& texts) {
  std::string lines;
  for (const LabelledText& text : texts) {
    nlohmann::ordered_json line = {{"passage", text.texts.pair},
                                   {"answers", nlohmann::ordered_json::array()}};
    for (const KnownAnswer& answer : text.answers) line["answers"].push_back(answer.text);
    lines += line.dump() + "\n";
  }
  return lines;
}

std::vector<Passage> parse_passages(const std::string& content, const fs::path& path) {
  std::vector<Passage> passages;
  constexpr int kDepth = 4;
  for (std::string_view rest = content; !rest.empty();) {
    const nlohmann::json value = parse_strict_json(cut_line(rest), path.string(), kDepth);
    JsonObject object(value, path.string());
    Passage passage;
    passage.text = object.text("passage");
    for (const nlohmann::json& answer : object.required("answers"))
      passage.answers.push_back(json_text(answer, path.string()));
    passages.push_back(std::move(passage));
  }
  return passages;
}

std::vector<std::string> parse_labels(const std::string& content, const fs::path& path) {
  const nlohmann::json value = parse_strict_json(content, path.string(), 2);
  std::vector<std::string> labels;
  if (!value.is_array()) throw DataError(cat(path.string(), ": expected a list"));
  for (const nlohmann::json& label : value) labels.push_back(json_text(label, path.string()));
  return labels;
}

std::string entry_of(uint64_t key) { return cat("examples-", hex16(key)); }

PreparedExamples open_entry(const fs::path& folder, const Tokenizer& tokenizer) {
  PreparedExamples prepared{{},           tokenizer, {},  ExampleFile::open(folder / kTrain),
                            std::nullopt, {},        true};
  std::error_code error;
  if (fs::exists(folder / kValidation, error))
    prepared.validation = ExampleFile::open(folder / kValidation);
  const std::string labels = read_file(folder / kLabels);
  const std::string passages = read_file(folder / kPassages);
  if (read_file(folder / kHash, 16) != hex16(hash_text(passages, hash_text(labels))))
    throw DataError(cat(folder.string(), ": its labels or passages have changed"));
  prepared.labels = parse_labels(labels, folder / kLabels);
  prepared.passages = parse_passages(passages, folder / kPassages);
  for (const ExampleFile* file :
       {&prepared.train, prepared.validation ? &*prepared.validation : nullptr}) {
    if (file == nullptr || file->tokenizer_hash() == tokenizer.hash()) continue;
    throw DataError(cat(folder.string(), ": made with another tokenizer"));
  }
  prepared.keys.train_fingerprint = prepared.train.fingerprint();
  if (prepared.validation)
    prepared.keys.validation_fingerprint = prepared.validation->fingerprint();
  return prepared;
}

uint64_t key_of(const DataConfig& data, const Tokenizer& tokenizer, TrainingTask task,
                const std::vector<std::string>& labels, const Chat& chat, uint64_t content) {
  const LabelledConfig& c = data.labelled;
  std::string key = cat("examples ", kVersion, " ", task, " ", hex16(content), " ",
                        hex16(tokenizer.hash()), " ", c.layout, " ", c.truncation, " ", c.stride,
                        " ", data.sequence_length, " ", shortest(data.validation_fraction));
  for (const std::string* name :
       {&c.text, &c.pair, &c.label, &c.tokens, &c.tags, &c.question, &c.context, &c.answers})
    key += "\n" + *name;
  for (const std::string& label : labels) key += "\n" + label;
  if (task == TrainingTask::kInstructionTuning) {
    key += cat("\n", c.learn, " ", hex16(chat.hash()));
    for (const std::string* name : {&c.messages, &c.prompt, &c.completion}) key += "\n" + *name;
  }
  return hash_text(key);
}

// Some texts of each part, and a model can learn nothing from one label.
void require_enough(const std::vector<LabelledText>& train,
                    const std::vector<LabelledText>& validation, const DataConfig& data,
                    TrainingTask task, const LabelNames& names) {
  if (train.empty())
    throw DataError("the files of data.sources hold no labelled text for training");
  const bool wants_validation = data.validation_fraction > 0 || !data.labelled.held_out.empty();
  if (wants_validation && validation.empty()) {
    throw DataError(data.labelled.held_out.empty()
                        ? cat("of ", train.size(),
                              " texts none fell into validation at "
                              "data.validation_fraction = ",
                              shortest(data.validation_fraction),
                              "; raise it, name files in data.labelled.held_out, or make it 0")
                        : std::string("the files of data.labelled.held_out hold no labelled text"));
  }
  if (names_labels(task) && names.all().size() < 2) {
    throw DataError(cat("all texts have the label ", show_text(names.all().front()),
                        "; there is nothing to learn from one label"));
  }
}

}  // namespace

PreparedExamples prepare_labelled(const DataConfig& data, const TokenizerConfig& tokenizer_config,
                                  TrainingTask task, const std::vector<std::string>& labels,
                                  const ChatOfTokenizer& chat_of, const PrepareOptions& options) {
  const auto tell = [&](std::string_view stage, double share) {
    if (options.progress) options.progress(stage, share);
  };
  const Tokenizer tokenizer = tokenizer_of(tokenizer_config);
  const bool has_chats = task == TrainingTask::kInstructionTuning;
  const Chat chat = has_chats ? chat_of(tokenizer) : Chat(std::nullopt, {});
  const std::vector<SourceFile> files = training_files(data);
  const std::vector<SourceFile> held_out = held_out_files(data);
  tell("reading sources", 0);
  const uint64_t content =
      hash_text(cat(hex16(content_fingerprint(files)), " ",
                    held_out.empty() ? "" : hex16(content_fingerprint(held_out))));
  const uint64_t key = key_of(data, tokenizer, task, labels, chat, content);
  const CacheEntry entry(data.cache, entry_of(key));
  if (entry.exists()) {
    try {
      PreparedExamples prepared = open_entry(entry.folder(), tokenizer);
      prepared.keys.key = key;
      return prepared;
    } catch (const Error& error) {
      log_warn(cat("making ", entry.folder().string(), " again, it is damaged: ", error.what()));
    }
  }
  entry.publish([&](const fs::path& folder) {
    std::vector<LabelledText> train = read_all(files, data, task);
    // A label may fall into the share that is held out alone.
    const LabelNames names(!names_labels(task) ? std::vector<std::string>()
                           : labels.empty()    ? names_in(train, task)
                                               : labels);
    const std::vector<LabelledText> validation =
        held_out.empty() ? held_out_share(train, task, data.validation_fraction)
                         : read_all(held_out, data, task);
    require_enough(train, validation, data, task, names);
    const EncodingRule rule = {task,
                               data.labelled.truncation,
                               data.labelled.stride,
                               data.sequence_length,
                               data.labelled.learn,
                               &chat};
    WorkerPool pool(std::max(1, options.num_threads));
    tell("tokenising", 0);
    const auto write = [&](const char* file, const std::vector<LabelledText>& texts,
                           const char* what) {
      ExampleFile::write(folder / file, encode_all(texts, names, tokenizer, rule, pool, what),
                         tokenizer.hash());
    };
    write(kTrain, train, "training");
    if (!validation.empty()) write(kValidation, validation, "validation");
    const std::string known = nlohmann::json(names.all()).dump();
    const std::string passages =
        task == TrainingTask::kQuestionAnswering ? passages_text(validation) : "";
    write_file_durably(folder / kLabels, known);
    write_file_durably(folder / kPassages, passages);
    write_file_durably(folder / kHash, hex16(hash_text(passages, hash_text(known))));
  });
  PreparedExamples prepared = open_entry(entry.folder(), tokenizer);
  prepared.keys.key = key;
  prepared.was_in_cache = false;
  return prepared;
}

PreparedExamples open_prepared_examples(const DataConfig& data, const TokenizerConfig& tokenizer,
                                        const ExampleKeys& keys) {
  const fs::path folder = fs::path(data.cache) / entry_of(keys.key);
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    throw DataError(cat("the ranks do not see the same files: ", folder.string(),
                        ", which rank 0 prepared, is not there; set data.cache to a folder that "
                        "all nodes share, or copy it to each"));
  }
  PreparedExamples prepared = open_entry(folder, tokenizer_of(tokenizer));
  prepared.keys.key = keys.key;
  if (prepared.keys.train_fingerprint != keys.train_fingerprint ||
      prepared.keys.validation_fingerprint != keys.validation_fingerprint) {
    throw DataError(cat("the ranks do not see the same files: ", folder.string(),
                        " has other examples here than on rank 0; data.cache must be the same "
                        "folder on all nodes"));
  }
  return prepared;
}

}  // namespace lmtrain

// Labelled texts and files of examples: any bytes are texts with labels, or an error; what is read
// of a file of examples lies within it.
#include "base/error.h"
#include "data/labelled/example.h"
#include "data/labelled/labelled_reader.h"
#include "tests/fuzz/file_of_bytes.h"

namespace {

using namespace lmtrain;

constexpr auto kTasks = {TrainingTask::kClassification, TrainingTask::kRegression,
                         TrainingTask::kTagging, TrainingTask::kQuestionAnswering,
                         TrainingTask::kInstructionTuning};

void read(const std::filesystem::path& file, TrainingTask task, const LabelledConfig& config) {
  try {
    read_labelled(file, task, config, [&](LabelledText&& text) {
      if (text.words.size() != text.tags.size()) __builtin_trap();
      if (text.num_asked > text.messages.size()) __builtin_trap();
      for (const KnownAnswer& answer : text.answers) {
        const auto begin = static_cast<size_t>(answer.begin);
        if (text.texts.pair.compare(begin, answer.text.size(), answer.text) != 0) __builtin_trap();
      }
    });
  } catch (const DataError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  LabelledConfig config;
  config.pair = "pair";
  for (const char* name : {"a.csv", "a.tsv", "a.jsonl", "a.conll"}) {
    const std::filesystem::path file = file_of_bytes(data, size, name);
    for (const TrainingTask task : kTasks) read(file, task, config);
  }
  const std::filesystem::path file = file_of_bytes(data, size, "b");
  for (const LabelledLayout layout : all_values<LabelledLayout>()) {
    config.layout = layout;
    for (const TrainingTask task : kTasks)
      if (layout != LabelledLayout::kFields && suits(layout, task)) read(file, task, config);
  }
  try {
    const ExampleFile examples = ExampleFile::open(file);
    for (int64_t i = 0; i < examples.size(); ++i) examples.at(i);
  } catch (const DataError&) {
  }
  return 0;
}

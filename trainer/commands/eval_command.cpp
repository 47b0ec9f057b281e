// eval: a trained model on a file of tasks.
#include <iostream>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/log.h"
#include "base/text.h"
#include "trainer/commands/command.h"
#include "trainer/commands/language_model.h"
#include "trainer/commands/rank_job.h"
#include "trainer/commands/result_lines.h"
#include "trainer/evaluation/tasks.h"

namespace lmtrain {
namespace {

struct Options {
  std::string checkpoint;
  std::string file;
  std::string items_file;
  TaskConfig task;
  ModelOptions model;
  EnergyOptions energy;
};

void evaluate(const Options& options, Launch& launch) {
  if (!options.items_file.empty()) require_folder_of(options.items_file);
  const auto energy = start_metering(options.energy, launch);
  const LoadedModel loaded = load_on_ranks(options.checkpoint, options.model, launch);
  if (energy) energy->begin_inference();
  TaskConfig task = options.task;
  task.path = options.file;
  const TaskModel model{.model = *loaded.model,
                        .tokenizer = loaded.tokenizer,
                        .start_token = loaded.start_token,
                        .end_tokens = loaded.end_tokens,
                        .ranks = loaded.ranks};
  const double begin = monotonic_seconds();
  std::string items;
  const TaskResult result =
      evaluate_task(model, task, [&](size_t done, size_t all, const nlohmann::ordered_json& item) {
        const double rate = static_cast<double>(done) / std::max(1e-9, monotonic_seconds() - begin);
        show_progress_line(cat(done, "/", all, "  ", fixed(rate, 1), " a second"));
        if (item.is_null()) return;
        nlohmann::ordered_json line = {{"index", done - 1}};
        line.update(item);
        items += json_line(line) + "\n";
      });
  show_progress_line("");
  if (!options.items_file.empty() && launch.rank() == 0)
    write_file_durably(options.items_file, items);
  nlohmann::ordered_json line = {{"task", name_of(task.task)},
                                 {"file", options.file},
                                 {"checkpoint", loaded.checkpoint.string()}};
  line.update(result.numbers);
  line["seconds"] = monotonic_seconds() - begin;
  if (energy) line["energy"] = energy->summary(result.numbers.value("tokens", int64_t{0}));
  std::cout << json_line(line) << "\n";
}

void add_task_options(CLI::App* app, TaskConfig& task) {
  add_choice(app, "--task", task.task,
             "perplexity: how well a text is predicted (a text file, or .jsonl with \"text\"); "
             "choice: which of several answers is likeliest (.jsonl with \"context\", \"choices\" "
             "and \"answer\"); pairs: which of two sentences is likelier (.jsonl in the form of "
             "BLiMP or CrowS-Pairs, or with \"first\" and \"second\"); generate: whether the right "
             "answer is written (.jsonl with \"prompt\" and \"answer\" or \"answers\")")
      ->required()
      ->default_str("");
  app->add_option("--limit", task.limit, "Items to read at most; 0: all")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option("--window", task.window,
                  "perplexity: tokens of a window; 0: as many as the model has positions")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option(
         "--stride", task.stride,
         "perplexity: tokens from the beginning of a window to that of the next; 0: half a "
         "window. Each token counts once, in the first window that holds it")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option("--delimiter", task.delimiter, "choice: text between context and choice")
      ->default_str("a space");
  add_choice(app, "--pair-tokens", task.pair_tokens,
             "pairs: whether all tokens of the sentences count or those that both share; auto: "
             "shared for encoders, all for decoders");
  app->add_option("--max-new-tokens", task.max_new_tokens, "generate: new tokens at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  add_texts(app, "--stop", task.stops, "generate: end before this text; may be given several times")
      ->check(not_empty)
      ->default_str("a line break");
}

}  // namespace

Command add_eval(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("eval", "Evaluate a model on a file of tasks, as JSON");
  const auto options = std::make_shared<Options>();
  add_checkpoint_argument(app, options->checkpoint);
  app->add_option("FILE", options->file, "File of the task")->required();
  add_task_options(app, options->task);
  app->add_option("--items", options->items_file,
                  "Write how each item went to this file, a line of JSON for each");
  add_model_options(app, options->model);
  add_energy_options(app, options->energy);
  return {.app = app,
          .examples = {"lmtrain eval runs/quickstart text.txt --task perplexity --stride 64",
                       "lmtrain eval runs/quickstart questions.jsonl --task choice",
                       "lmtrain eval my-bert pairs.jsonl --task pairs --items scores.jsonl"},
          .synonyms = {checkpoint_words(),
                       precision_words(),
                       {{"tasks", "kind", "t"}, {"--task"}, ""},
                       {{"num_items", "max_samples", "n"}, {"--limit"}, ""},
                       {{"max_length", "context"}, {"--window"}, ""}},
          .run = run_on_ranks(options, evaluate)};
}

}  // namespace lmtrain

// prepare: the tokenizer and token files of a config, without training.
#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <span>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/clock.h"
#include "base/durable_file.h"
#include "base/host_name.h"
#include "base/text.h"
#include "base/utf8.h"
#include "energy/amount_text.h"
#include "energy/report/report.h"
#include "parallel/cores.h"
#include "trainer/commands/command.h"
#include "trainer/commands/result_lines.h"
#include "trainer/config/load_config.h"
#include "trainer/interchange/interchange.h"
#include "trainer/run/run_power.h"
#include "trainer/start/run_data.h"

namespace lmtrain {
namespace {

struct Options {
  ConfigArguments config;
  int64_t num_shown = 0;
  bool json = false;
};

// What the preparation takes. Its ledger goes into the cache, since no run has it.
class PreparationEnergy {
 public:
  explicit PreparationEnergy(const LoadedConfig& loaded) : config_(loaded.config.energy) {
    RankPlace place;
    place.host = host_name();
    power_ = start_power_logger(config_, place, {""}, process_began(), phases_);
    const auto now = static_cast<int64_t>(clock_seconds(CLOCK_REALTIME));
    folder_ = std::filesystem::path(loaded.config.data.cache) / "energy" /
              cat("prepare-", now, "-", getpid());
    series_ = series_of(config_);
    price_ = price_of_attempt(loaded, series_.get());
  }

  // Ends the metering.
  void print(std::ostream& out) {
    make_folders(folder_);
    power_->write_to(ledger_path(folder_, 0), {1, 0, price_, batch_job(), series_});
    power_->stop();
    const EmissionsReport report = make_emissions_report({power_->totals()}, config_);
    out << "energy      " << energy_range_text(report.energy) << ", emissions "
        << emissions_text(report.cost.emissions.grams) << " CO2e (ledger: " << folder_.string()
        << ")\n";
    for (const std::string& doubt : report.doubts) out << "doubt       " << doubt << "\n";
  }

  PhaseTracker& phases() { return phases_; }

 private:
  EnergyConfig config_;
  PhaseTracker phases_;
  std::unique_ptr<PowerLogger> power_;
  std::filesystem::path folder_;
  EnergyPrice price_;
  std::shared_ptr<const IntensitySeries> series_;
};

void print_tokens(const std::string& title, const TokenFile& file) {
  std::cout << title << file.path().string() << " (" << with_commas(file.num_tokens())
            << " tokens)\n";
}

void print_examples(const PreparedExamples& data) {
  const auto print = [](const char* title, const ExampleFile& file) {
    std::cout << title << counted(file.size(), "sample") << " of "
              << counted(file.num_tokens(), "token") << ", the longest of " << file.longest()
              << "\n";
  };
  print("training    ", data.train);
  if (data.validation) print("validation  ", *data.validation);
  if (!data.labels.empty()) std::cout << "labels      " << join(data.labels, ", ") << "\n";
}

// A sample's text, and what is learned of it: of an instruction the parts between >> and <<.
std::string shown(const Example& example, const PreparedExamples& data, TrainingTask task) {
  const auto text_of = [&](size_t begin, size_t end) {
    const auto ids = std::span(example.ids).subspan(begin, end - begin);
    return shown_as_utf8(data.tokenizer.decode(ids, /*with_special_tokens=*/true));
  };
  const size_t size = example.ids.size();
  if (task == TrainingTask::kRegression)
    return cat(text_of(0, size), "\n-> ", shortest(example.value));
  std::string text;
  if (task == TrainingTask::kInstructionTuning) {
    for (size_t begin = 0, end = 0; begin < size; begin = end) {
      const bool is_learned = example.labels[begin] != 0;
      while (end < size && (example.labels[end] != 0) == is_learned) ++end;
      text += is_learned ? cat(">>", text_of(begin, end), "<<") : text_of(begin, end);
    }
    return text;
  }
  text = text_of(0, size) + "\n->";
  for (const int32_t label : example.labels) {
    const bool has_name = label >= 0 && static_cast<size_t>(label) < data.labels.size();
    text += cat(" ", has_name    ? data.labels[static_cast<size_t>(label)]
                     : label < 0 ? "-"
                                 : std::to_string(label));
  }
  return text;
}

void show_examples(const PreparedExamples& data, TrainingTask task, const Options& options) {
  const int64_t count = std::min(options.num_shown, data.train.size());
  for (int64_t i = 0; i < count; ++i) {
    const Example example = data.train.at(i);
    if (!options.json) {
      std::cout << "\nsample " << i + 1 << ", " << counted(std::ssize(example.ids), "token") << "\n"
                << shown(example, data, task) << "\n";
      continue;
    }
    const nlohmann::ordered_json line = {
        {"ids", example.ids}, {"labels", example.labels}, {"value", example.value}};
    std::cout << json_line(line) << "\n";
  }
}

void prepare_examples(const LoadedConfig& loaded, const std::optional<InitialModel>& initial,
                      const Options& options, PreparationEnergy& energy) {
  const Companions companions =
      companions_of_run(loaded.config, initial ? initial->companions : Companions());
  const PreparedExamples data =
      prepare_labelled_and_show(loaded.config, companions, static_cast<int>(job_cores().size()));
  if (!options.json) print_examples(data);
  show_examples(data, loaded.config.task, options);
  energy.print(options.json ? std::cerr : std::cout);
}

void prepare(const Options& options) {
  LoadedConfig loaded = load_config(options.config.path, options.config.settings);
  const std::optional<InitialModel> initial = adopt_initial_model(loaded);
  PreparationEnergy energy(loaded);
  const PhaseScope scope(energy.phases(), Phase::kPreparation);
  if (loaded.config.task != TrainingTask::kLanguageModeling) {
    prepare_examples(loaded, initial, options, energy);
    return;
  }
  if (options.num_shown > 0) {
    throw ConfigError(
        "--show is for labelled texts; samples of running text are its tokens one after the other");
  }
  const PreparedData data = prepare_and_show(loaded.config, static_cast<int>(job_cores().size()));
  std::cout << "tokenizer   " << data.tokenizer_path.string() << " (" << data.tokenizer.vocab_size()
            << " entries)\n";
  print_tokens("training    ", data.train);
  if (data.validation) print_tokens("validation  ", *data.validation);
  energy.print(std::cout);
}

}  // namespace

Command add_prepare(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "prepare", "Train the tokenizer and tokenise the text that a config names");
  const auto options = std::make_shared<Options>();
  add_config_arguments(app, options->config);
  CLI::Option* const shown =
      app->add_option("--show", options->num_shown,
                      "Print so many samples of labelled texts with what is learned of them: of "
                      "instructions what stands between >> and <<")
          ->check(CLI::Range(1, 1 << 30))
          ->type_name("N");
  app->add_flag("--json", options->json,
                "Print nothing but these samples, an object with token ids and labels a line")
      ->needs(shown);
  return {.app = app,
          .examples = {"lmtrain prepare configs/quickstart.yaml",
                       "lmtrain prepare configs/bert-topics.yaml --show 3"},
          .synonyms = {config_words()},
          .run = run_with(options, prepare)};
}

}  // namespace lmtrain

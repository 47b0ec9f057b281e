// prepare: the tokenizer and token files of a config, without training.
#include <iostream>
#include <memory>

#include <unistd.h>

#include "base/clock.h"
#include "base/durable_file.h"
#include "base/host_name.h"
#include "base/text.h"
#include "energy/amount_text.h"
#include "energy/report/report.h"
#include "parallel/cores.h"
#include "trainer/commands/command.h"
#include "trainer/config/load_config.h"
#include "trainer/interchange/interchange.h"
#include "trainer/run/run_power.h"
#include "trainer/start/run_data.h"

namespace lmtrain {
namespace {

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
  void print() {
    make_folders(folder_);
    power_->write_to(ledger_path(folder_, 0), {1, 0, price_, batch_job(), series_});
    power_->stop();
    const EmissionsReport report = make_emissions_report({power_->totals()}, config_);
    std::cout << "energy      " << energy_range_text(report.energy) << ", emissions "
              << emissions_text(report.cost.emissions.grams)
              << " CO2e (ledger: " << folder_.string() << ")\n";
    for (const std::string& doubt : report.doubts) std::cout << "doubt       " << doubt << "\n";
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

void prepare(const ConfigArguments& arguments) {
  LoadedConfig loaded = load_config(arguments.path, arguments.settings);
  adopt_initial_model(loaded);
  PreparationEnergy energy(loaded);
  const PhaseScope scope(energy.phases(), Phase::kPreparation);
  if (loaded.config.task != TrainingTask::kLanguageModeling) {
    print_examples(prepare_labelled_and_show(loaded.config, static_cast<int>(job_cores().size())));
    energy.print();
    return;
  }
  const PreparedData data = prepare_and_show(loaded.config, static_cast<int>(job_cores().size()));
  std::cout << "tokenizer   " << data.tokenizer_path.string() << " (" << data.tokenizer.vocab_size()
            << " entries)\n";
  print_tokens("training    ", data.train);
  if (data.validation) print_tokens("validation  ", *data.validation);
  energy.print();
}

}  // namespace

Command add_prepare(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "prepare", "Train the tokenizer and tokenise the text that a config names");
  const auto arguments = std::make_shared<ConfigArguments>();
  add_config_arguments(app, *arguments);
  return {.app = app,
          .examples = {"lmtrain prepare configs/quickstart.yaml"},
          .synonyms = {config_words()},
          .run = run_with(arguments, prepare)};
}

}  // namespace lmtrain

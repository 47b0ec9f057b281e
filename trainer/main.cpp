// The program: the command line, and the one place where errors end.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "parallel/as_error.h"
#include "parallel/launch.h"
#include "parallel/rank_work.h"
#include "trainer/commands/commands.h"
#include "trainer/config/load_config.h"
#include "trainer/planning/layouts.h"
#include "trainer/run/run.h"
#include "trainer/run/stop_signal.h"
#include "trainer/verify/verify.h"

namespace {

using namespace lmtrain;

constexpr const char* kFooter = R"(Training:
  lmtrain CONFIG [key.sub=value ...]               one rank
  mpirun -n 8 lmtrain CONFIG [key.sub=value ...]   eight ranks
  mpirun -n 8 lmtrain verify CONFIG [key.sub=value ...]
                                                   whether these eight compute what one rank does

Exit codes: 0 done, 64 config, 65 data, 66 no usable checkpoint, 70 numeric, 74 I/O, 75 stopped on request after a
save, 76 hang, 1 anything else. A checkpoint is named by its folder, or by its run's folder for the newest.)";

struct Arguments {
  std::string config;
  std::vector<std::string> overrides;
  std::string path;
  std::string text;
  std::string pair;
  std::string out;
  ExportOptions exported;
  bool flag = false;
  int64_t ranks = 0;
  int64_t steps = 5;
  std::string machine = "cpu";
  size_t most = 12;
  SamplingOptions sampling;
  TokenizerTrainArguments tokenizer;
};

void add_config(CLI::App* command, Arguments& a, bool required) {
  auto* config = command->add_option("config", a.config, "Config file (YAML)");
  if (required) config->required();
  command->add_option("overrides", a.overrides, "key.sub=value ...");
}

void add_data_commands(CLI::App& app, Arguments& a) {
  CLI::App* config =
      app.add_subcommand("config", "Print the whole resolved config, a comment per key");
  add_config(config, a, false);
  config->add_flag("--markdown", a.flag,
                   "Print the reference of all keys instead (docs/config.md)");
  config->callback([&] { command_config(a.config, a.overrides, a.flag); });

  CLI::App* prepare =
      app.add_subcommand("prepare", "Train the tokenizer and tokenise what a config names");
  add_config(prepare, a, true);
  prepare->callback([&] { command_prepare(a.config, a.overrides); });

  CLI::App* tokenizer = app.add_subcommand("tokenizer", "Train a tokenizer, encode, decode");
  tokenizer->require_subcommand(1);
  CLI::App* train =
      tokenizer->add_subcommand("train", "Train a byte-level BPE or WordPiece on text files");
  train->add_option("output", a.tokenizer.output, "Folder for tokenizer.json")->required();
  train->add_option("sources", a.tokenizer.sources, "Files or folders of text")->required();
  train->add_option("--vocab-size", a.tokenizer.vocab_size, "Entries of the vocabulary")
      ->capture_default_str();
  train
      ->add_option_function<std::string>(
          "--kind",
          [&a](const std::string& name) { a.tokenizer.kind = *choice_of<TokenizerKind>(name); },
          "bpe (GPT-2's) or wordpiece (BERT's)")
      ->check(CLI::IsMember(all_names<TokenizerKind>()));
  train->add_flag("--cased", a.tokenizer.cased, "wordpiece: keep case and accents");
  train->add_option("--separator", a.tokenizer.separator,
                    "Line that ends a document; default: a file is one");
  train->callback([&] { command_tokenizer_train(a.tokenizer); });
  CLI::App* encode = tokenizer->add_subcommand("encode", "Standard input to ids");
  encode->add_option("tokenizer", a.path, "tokenizer.json or its folder")->required();
  encode->add_flag("--count", a.flag, "Print how many ids and how many seconds, not the ids");
  encode->callback([&] { command_tokenizer_encode(a.path, a.flag); });
  CLI::App* decode = tokenizer->add_subcommand("decode", "Ids on standard input to text");
  decode->add_option("tokenizer", a.path, "tokenizer.json or its folder")->required();
  decode->callback([&] { command_tokenizer_decode(a.path); });
}

void add_model_commands(CLI::App& app, Arguments& a) {
  CLI::App* generate = app.add_subcommand("generate", "Continue a prompt");
  generate->add_option("checkpoint", a.path, "Checkpoint or run folder")->required();
  generate->add_option("--prompt", a.text, "Text to continue; empty: from nothing");
  generate->add_option("--max-tokens", a.sampling.max_new_tokens, "New tokens at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  generate->add_option("--temperature", a.sampling.temperature, "0: always the most likely token")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  generate->add_option("--top-k", a.sampling.top_k, "Only the k most likely tokens; 0: all")
      ->check(CLI::Range(0, 1 << 24))
      ->capture_default_str();
  generate
      ->add_option("--top-p", a.sampling.top_p,
                   "Only the likeliest tokens that reach this probability")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  generate->add_option("--seed", a.sampling.seed, "Repeats the same text")->capture_default_str();
  generate->callback([&] { command_generate(a.path, a.text, a.sampling); });

  CLI::App* score = app.add_subcommand("score", "Log-probabilities of a text, as JSON");
  score->add_option("checkpoint", a.path, "Checkpoint or run folder")->required();
  score->add_option("--text", a.text, "Text to score")->required();
  score->callback([&] { command_score(a.path, a.text); });

  CLI::App* predict = app.add_subcommand(
      "predict", "Label, value, tokens' labels or answer, by the model's head, as JSON");
  predict->add_option("checkpoint", a.path, "Checkpoint or run folder")->required();
  predict->add_option("--text", a.text, "Text, or the question")->required();
  predict->add_option("--pair", a.pair, "Second text, or the passage that holds the answer");
  predict->callback([&] { command_predict(a.path, a.text, a.pair); });

  CLI::App* inspect = app.add_subcommand("inspect", "Verify a checkpoint and say what it holds");
  inspect->add_option("checkpoint", a.path, "Checkpoint or run folder")->required();
  inspect->add_flag("--tensors", a.flag, "List all tensors");
  inspect->callback([&] { command_inspect(a.path, a.flag); });

  CLI::App* import_command = app.add_subcommand(
      "import", "Make a checkpoint of a folder of transformers (GPT-2, Llama, Qwen3)");
  import_command
      ->add_option("folder", a.path, "Folder with config.json, safetensors, tokenizer.json")
      ->required();
  import_command->add_option("out", a.out, "New folder for the checkpoint")->required();
  import_command->callback([&] { command_import(a.path, a.out); });

  CLI::App* export_command =
      app.add_subcommand("export", "Write a checkpoint as a folder that transformers loads");
  export_command->add_option("checkpoint", a.path, "Checkpoint or run folder")->required();
  export_command->add_option("out", a.out, "New folder")->required();
  export_command->add_option("--type", a.exported.type,
                             "float32, bfloat16, float16 or float64 (default: as imported, else "
                             "as trained)");
  export_command
      ->add_option("--max-file-bytes", a.exported.max_file_bytes,
                   "Largest safetensors file; more are written with an index")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  export_command->callback([&] { command_export(a.path, a.out, a.exported); });

  CLI::App* layouts = app.add_subcommand(
      "layouts", "Layouts of a config: memory, communication and time of a step, best first");
  add_config(layouts, a, true);
  layouts->add_option("--ranks", a.ranks, "Ranks of the job")
      ->required()
      ->check(CLI::Range(1, 1 << 16));
  std::vector<std::string> machines = known_machines();
  machines.insert(machines.begin(), "cpu");
  layouts->add_option("--machine", a.machine, "What they run on; cpu: this node's cores")
      ->check(CLI::IsMember(machines))
      ->capture_default_str();
  layouts->add_option("--most", a.most, "Lines to show")->capture_default_str();
  layouts->callback([&] { command_layouts(a.config, a.overrides, a.ranks, a.machine, a.most); });

  CLI::App* report = app.add_subcommand("report", "Write a run's report again from its folder");
  report->add_option("run", a.path, "Run folder")->required();
  report->callback([&] { command_report(a.path); });

  app.add_subcommand("doctor", "Devices, sensors and why one cannot be read, versions")
      ->callback(command_doctor);
}  // namespace

// Reports an error of this process and returns its exit code.
int report_error(const std::exception& error) {
  const Error own = as_error(error);
  log_error(own.what());
  return static_cast<int>(own.code());
}

std::string joined_command_line(int argc, char** argv) {
  return join(std::vector<std::string>(argv, argv + argc), " ");
}

// What every rank of a job does with the config.
using RankWork = std::function<ExitCode(const LoadedConfig&, Launch&)>;

int work_as_rank(const std::string& config, const std::vector<std::string>& overrides,
                 const RankWork& work, Launch& launch) {
  try {
    return work_or_end_job(launch, [&] {
      LoadedConfig loaded;
      launch.together([&] { loaded = load_config(config, overrides); });
      return static_cast<int>(work(loaded, launch));
    });
  } catch (const CollectiveError& error) {
    if (launch.rank() == 0) log_error(error.what());
    return static_cast<int>(error.code());
  }
}

int work_in_job(const std::string& config, const std::vector<std::string>& overrides,
                const RankWork& work) {
  try {
    Launch launch(nullptr, nullptr);
    return work_as_rank(config, overrides, work, launch);
  } catch (const std::exception& error) {  // no job could be started
    return report_error(error);
  }
}

int train(int argc, char** argv) {
  catch_stop_signals();
  const std::string command_line = joined_command_line(argc, argv);
  return work_in_job(argv[1], {argv + 2, argv + argc},
                     [&](const LoadedConfig& loaded, Launch& launch) {
                       return run_training(loaded, command_line, launch);
                     });
}

// Starts this command line again as `num_ranks` ranks on this machine. Returns where that fails.
int start_under_mpirun(int64_t num_ranks, int argc, char** argv) {
  const std::string ranks = cat(num_ranks);
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  std::vector<const char*> words = {"mpirun", "--oversubscribe", "-n", ranks.c_str(),
                                    program.c_str()};
  words.insert(words.end(), argv + 1, argv + argc);
  words.push_back(nullptr);
  execvp(words[0], const_cast<char**>(words.data()));
  return report_error(IoError(cat("mpirun cannot be started: ", std::strerror(errno))));
}

int verify(const Arguments& a, int argc, char** argv) {
  if (a.ranks > 1 && !Launch::was_started_by_launcher())
    return start_under_mpirun(a.ranks, argc, argv);
  return work_in_job(a.config, a.overrides, [&](const LoadedConfig& loaded, Launch& launch) {
    launch.together([&] {
      if (a.ranks == 0 || a.ranks == launch.size()) return;
      throw ConfigError(cat("--ranks ", a.ranks, ", but this job has ", launch.size(),
                            " ranks; leave it out under mpirun"));
    });
    return verify_layout(loaded, a.steps, launch);
  });
}

CLI::App* add_verify(CLI::App& app, Arguments& a) {
  CLI::App* command = app.add_subcommand(
      "verify", "Train a few steps on one rank and in the config's layout, and compare");
  add_config(command, a, true);
  command->add_option("--ranks", a.ranks, "Ranks of the layout, where mpirun did not start them")
      ->check(CLI::Range(1, 1 << 16));
  command->add_option("--steps", a.steps, "Steps of training")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  return command;
}

int run_command(int argc, char** argv) {
  CLI::App app("lmtrain: trains language models on ranks that mpirun starts", "lmtrain");
  app.footer(kFooter);
  app.set_version_flag("--version", version_text());
  app.require_subcommand(1);
  Arguments arguments;
  add_data_commands(app, arguments);
  add_model_commands(app, arguments);
  const CLI::App* const verify_command = add_verify(app, arguments);
  try {
    app.parse(argc, argv);
    return verify_command->parsed() ? verify(arguments, argc, argv) : 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ExitCode::kConfig);
  } catch (const std::exception& error) {
    return report_error(error);
  }
}

// What is neither a command nor an option is a config to train.
bool names_a_config(int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return false;
  for (int i = 2; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--help" || std::string_view(argv[i]) == "-h") return false;
  }
  const std::string first = argv[1];
  for (const char* command :
       {"config", "prepare", "tokenizer", "generate", "score", "predict", "inspect", "import",
        "export", "report", "doctor", "verify", "layouts"}) {
    if (first == command) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return names_a_config(argc, argv) ? train(argc, argv) : run_command(argc, argv);
  } catch (const std::exception& error) {  // of the reporting itself: the log cannot be written
    std::fputs(error.what(), stderr);
    return static_cast<int>(ExitCode::kFailure);
  }
}

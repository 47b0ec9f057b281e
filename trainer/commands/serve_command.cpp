// serve: a model behind an HTTP server.
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/host_name.h"
#include "base/log.h"
#include "base/text.h"
#include "models/few_rows.h"
#include "parallel/launch.h"
#include "trainer/commands/command.h"
#include "trainer/commands/language_model.h"
#include "trainer/serving/api_server.h"

namespace lmtrain {
namespace {

constexpr const char* kKeyVariable = "LMTRAIN_API_KEY";

struct Options {
  std::string checkpoint;
  ModelOptions model;
  ServerOptions server;
  std::string key_file;
  std::string region;
  double drain_seconds = 30;
};

// A key on the command line could be read by every user of the machine.
std::string key_of(const Options& options) {
  std::string key;
  if (!options.key_file.empty()) {
    key = read_file(options.key_file);
    while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
    if (key.empty()) throw ConfigError(cat(options.key_file, " holds no key"));
  } else if (const char* const variable = std::getenv(kKeyVariable)) {
    key = variable;
  }
  const std::string& host = options.server.host;
  if (host.empty()) throw ConfigError("--host is empty; 0.0.0.0 listens on all addresses");
  if (key.empty() && !is_loopback(host)) {
    throw ConfigError(cat("--host ", host,
                          " lets other machines in: give a key that clients must "
                          "name, with --key-file or in the variable ",
                          kKeyVariable));
  }
  return key;
}

// "quickstart" of runs/quickstart and of runs/quickstart/checkpoints/step-00000100.
std::string name_of_model(const std::string& path) {
  std::filesystem::path folder = std::filesystem::weakly_canonical(path);
  if (folder.filename().string().starts_with("step-")) folder = folder.parent_path();
  if (folder.filename() == "checkpoints") folder = folder.parent_path();
  const std::string name = folder.filename().string();
  return name.empty() ? "lmtrain" : name;
}

// Ends the server on SIGTERM, SIGINT and SIGUSR1: requests under way may end first; a second signal
// ends them, too.
class DrainOnSignal {
 public:
  // To be made before any other thread, so that all threads leave the signals to this one.
  DrainOnSignal() {
    sigemptyset(&signals_);
    for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals_, signal);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  ~DrainOnSignal() {
    if (!thread_.joinable()) return;
    pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }
  DrainOnSignal(const DrainOnSignal&) = delete;
  DrainOnSignal& operator=(const DrainOnSignal&) = delete;

  void watch(ApiServer& server, double drain_seconds) {
    thread_ = std::thread([this, &server, drain_seconds] {
      int signal = 0;
      sigwait(&signals_, &signal);
      log_info(cat("no more requests are taken; those under way have ", shortest(drain_seconds),
                   " seconds to end"));
      std::thread again([this] {
        int second = 0;
        sigwait(&signals_, &second);
        std::_Exit(static_cast<int>(ExitCode::kStopped));
      });
      again.detach();
      server.drain(drain_seconds);
      // A client that sends a byte now and then would keep its thread, and this process, for ever.
      for (int i = 0; i < 100 && !has_ended_; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      if (has_ended_) return;
      log_warn("some clients had not ended their requests; their connections are dropped");
      std::_Exit(static_cast<int>(ExitCode::kDone));
    });
  }
  void note_end() { has_ended_ = true; }

 private:
  sigset_t signals_;
  std::atomic<bool> has_ended_{false};
  std::thread thread_;
};

void serve(const Options& options) {
  if (Launch::was_started_by_launcher())
    throw ConfigError("serve runs in one process; start it without mpirun or srun");
  ServerOptions server_options = options.server;
  server_options.key = key_of(options);
  if (server_options.model_name.empty())
    server_options.model_name = name_of_model(options.checkpoint);
  DrainOnSignal signals;
  EnergyConfig energy_config;
  if (!options.region.empty()) energy_config.region = options.region;
  RankPlace place;
  place.host = host_name();
  CallEnergy energy(energy_config, place);
  const LoadedModel loaded = load_model(options.checkpoint, options.model);
  energy.begin_inference();
  ApiServer server(loaded, energy, server_options);
  const std::string address = server.bind();
  signals.watch(server, options.drain_seconds);
  log_info(cat("serving ", server_options.model_name, " at ", address, "/ (API at ", address,
               "/v1); Ctrl-C ends it"));
  server.serve();
  signals.note_end();
  log_info(cat("ended; ", CallEnergy::sentence(energy.summary(server.num_written_tokens()))));
}

void add_limits(CLI::App* app, Options& options) {
  ServerOptions& server = options.server;
  app->add_option("--batch-size", server.service.num_slots, "Texts that are written at once")
      ->check(CLI::Range(int64_t{1}, kMostFewRows))
      ->capture_default_str();
  app->add_option("--queue", server.service.most_waiting,
                  "Texts that may wait for a place; what comes then is answered with status 503")
      ->check(CLI::Range(0, 1 << 12))
      ->capture_default_str();
  app->add_option("--max-tokens", server.limits.most_tokens, "New tokens of a text at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app->add_option("--max-texts", server.limits.most_texts,
                  "Texts of a request at most: its prompts times n, or inputs to embed")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  app->add_option("--max-body", server.most_body_bytes, "Bytes of a request at most")
      ->check(CLI::Range(1 << 10, 1 << 30))
      ->capture_default_str();
  app->add_option("--timeout", server.most_seconds, "Seconds that a request may take")
      ->check(number_range(0.1, 1e6))
      ->capture_default_str();
  app->add_option("--drain", options.drain_seconds,
                  "Seconds that requests under way have to end after SIGTERM or Ctrl-C")
      ->check(number_range(0.0, 1e6))
      ->capture_default_str();
}

}  // namespace

Command add_serve(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("serve", "Serve a model over HTTP, with OpenAI's API and a web page");
  const auto options = std::make_shared<Options>();
  options->server.limits = {.most_tokens = 4096, .most_texts = 64};
  add_checkpoint_argument(app, options->checkpoint);
  app->add_option("--host", options->server.host, "Address to listen on")->capture_default_str();
  app->add_option("--port", options->server.port, "Port to listen on; 0: any that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app->add_option("--key-file", options->key_file,
                  cat("File with the key that clients must name (Authorization: Bearer KEY); else "
                      "the variable ",
                      kKeyVariable, "; needed where --host lets other machines in"));
  app->add_option("--model-name", options->server.model_name,
                  "Name by which clients ask for the model (default: that of the folder)");
  add_limits(app, *options);
  add_model_options(app, options->model);
  app->add_option("--region", options->region,
                  "Country or region of the grid, as energy.region in a config (default WORLD)");
  return {
      .app = app,
      .examples = {"lmtrain serve runs/quickstart --port 8000",
                   "LMTRAIN_API_KEY=secret lmtrain serve runs/quickstart --host 0.0.0.0"},
      .synonyms = {checkpoint_words(),
                   precision_words(),
                   {{"address", "bind", "listen"}, {"--host"}, ""},
                   {{"api_key", "key"}, {"--key-file"}, "a key on the command line is no secret"},
                   {{"served_model_name", "name", "alias"}, {"--model-name"}, ""},
                   {{"max_num_seqs", "parallel", "slots"}, {"--batch-size"}, ""}},
      .run = run_with(options, serve)};
}

}  // namespace lmtrain

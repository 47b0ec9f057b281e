// tokenizer: train one, text to ids, ids to text.
#include <iostream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/phase.h"
#include "base/text.h"
#include "data/documents.h"
#include "data/train_tokenizer.h"
#include "parallel/cores.h"
#include "trainer/commands/command.h"
#include "trainer/commands/result_lines.h"
#include "trainer/commands/text_arguments.h"

namespace lmtrain {
namespace {

constexpr int64_t kTrainerMemoryBytes = int64_t{8} << 30;

struct TrainOptions {
  std::vector<std::string> sources;
  std::string separator;
  int64_t vocab_size = 4096;
  TokenizerKind kind = TokenizerKind::kBpe;
  bool cased = false;  // wordpiece: keeps case and accents
  std::string output;
  EnergyOptions energy;
};

TokenizerConfig config_of(const TrainOptions& options) {
  if (options.cased && options.kind != TokenizerKind::kWordpiece)
    throw ConfigError("--cased is for --kind wordpiece; leave it out");
  TokenizerConfig config;
  config.kind = options.kind;
  config.vocab_size = options.vocab_size;
  config.lowercase = !options.cased;
  return config;
}

void train(const TrainOptions& options) {
  const auto energy = start_metering(options.energy);
  const TokenizerConfig config = config_of(options);
  std::vector<SourceConfig> sources;
  for (const std::string& path : options.sources) sources.push_back({path, options.separator});
  DocumentReader reader(list_source_files(sources));
  if (energy) energy->begin(Phase::kPreparation);
  const int num_threads = static_cast<int>(job_cores().size());
  const Tokenizer tokenizer = train_tokenizer(
      reader, config, {.num_threads = num_threads, .max_memory_bytes = kTrainerMemoryBytes},
      [](double fraction) {
        show_progress_line(cat("training tokenizer ", fixed(100 * fraction, 0), "%"));
      });
  show_progress_line("");
  make_folders(options.output);
  tokenizer.save(std::filesystem::path(options.output) / "tokenizer.json");
  std::cout << options.output << "/tokenizer.json (" << tokenizer.vocab_size() << " entries)\n";
  if (energy) log_info(CallEnergy::sentence(energy->summary(0)));
}

struct EncodeOptions {
  std::string tokenizer;
  bool count = false;
};

void print_count(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<int32_t> ids;
  const double begin = monotonic_seconds();
  Tokenizer::Encoder(tokenizer).encode(text, ids);
  const double seconds = monotonic_seconds() - begin;
  std::cout
      << nlohmann::json{{"bytes", text.size()}, {"ids", ids.size()}, {"seconds", seconds}}.dump()
      << "\n";
}

void encode(const EncodeOptions& options) {
  const Tokenizer tokenizer = Tokenizer::load(options.tokenizer);
  const std::string text = read_standard_input();
  if (options.count) return print_count(tokenizer, text);
  std::vector<int32_t> ids;
  tokenizer.encode(text, ids);
  for (size_t i = 0; i < ids.size(); ++i) std::cout << (i == 0 ? "" : " ") << ids[i];
  std::cout << "\n";
}

int32_t parse_id(const std::string& word, int64_t vocab_size) {
  size_t used = 0;
  int64_t id = -1;
  try {
    id = std::stoll(word, &used);
  } catch (const std::logic_error&) {
    used = 0;
  }
  if (used == word.size() && id >= 0 && id < vocab_size) return static_cast<int32_t>(id);
  throw DataError(cat("'", word, "' is not an id of this tokenizer (0 to ", vocab_size - 1, ")"));
}

void decode(const std::string& path) {
  const Tokenizer tokenizer = Tokenizer::load(path);
  std::istringstream input(read_standard_input());
  std::vector<int32_t> ids;
  for (std::string word; input >> word;) ids.push_back(parse_id(word, tokenizer.vocab_size()));
  std::cout << tokenizer.decode(ids, /*with_special_tokens=*/true);
}

void add_tokenizer_argument(CLI::App* app, std::string& path) {
  app->add_option("TOKENIZER", path, "tokenizer.json or its folder")->required();
}

Synonyms tokenizer_words() {
  return {{"tokenizer", "model", "m", "path"}, {}, "TOKENIZER is written without an option"};
}

Command add_train_part(CLI::App* parent) {
  CLI::App* const app =
      parent->add_subcommand("train", "Train a byte-level BPE or WordPiece on text files");
  const auto options = std::make_shared<TrainOptions>();
  app->add_option("OUTPUT", options->output, "Folder for tokenizer.json")->required();
  app->add_option("SOURCES", options->sources, "Files or folders of text")->required();
  app->add_option("--vocab-size", options->vocab_size, "Entries of the vocabulary")
      ->capture_default_str();
  app->add_option_function<std::string>(
         "--kind",
         [options](const std::string& name) { options->kind = *choice_of<TokenizerKind>(name); },
         "bpe (GPT-2's) or wordpiece (BERT's)")
      ->check(CLI::IsMember(all_names<TokenizerKind>()))
      ->default_str("bpe");
  app->add_flag("--cased", options->cased, "wordpiece: keep case and accents");
  app->add_option("--separator", options->separator,
                  "Line that ends a document; without it each file is one document");
  add_energy_options(app, options->energy, "Say what energy and emissions the call took");
  return {.app = app,
          .examples = {"lmtrain tokenizer train my-tokenizer corpus/ --vocab-size 8192",
                       "lmtrain tokenizer train my-wordpiece a.txt b.txt --kind wordpiece --cased"},
          .synonyms = {{{"type", "model_type", "algorithm"}, {"--kind"}, ""},
                       {{"vocab", "num_merges", "size"}, {"--vocab-size"}, ""},
                       {{"lowercase", "uncased", "do_lower_case"},
                        {},
                        "wordpiece lowers case unless --cased is given"},
                       {{"delimiter", "document_separator"}, {"--separator"}, ""},
                       {{"o", "out", "output_dir", "model_prefix"},
                        {},
                        "OUTPUT is written without an option"},
                       {{"input", "files", "data", "corpus"},
                        {},
                        "SOURCES are written without an option, after OUTPUT"}},
          .run = run_with(options, train)};
}

Command add_encode_part(CLI::App* parent) {
  CLI::App* const app = parent->add_subcommand("encode", "Turn standard input into ids");
  const auto options = std::make_shared<EncodeOptions>();
  add_tokenizer_argument(app, options->tokenizer);
  app->add_flag("--count", options->count,
                "Print how many ids there are and how many seconds they took, not the ids");
  return {.app = app,
          .examples = {"lmtrain tokenizer encode my-tokenizer < text.txt",
                       "lmtrain tokenizer encode my-tokenizer --count < text.txt"},
          .synonyms = {tokenizer_words()},
          .run = run_with(options, encode)};
}

Command add_decode_part(CLI::App* parent) {
  CLI::App* const app = parent->add_subcommand("decode", "Turn ids on standard input into text");
  const auto path = std::make_shared<std::string>();
  add_tokenizer_argument(app, *path);
  return {.app = app,
          .examples = {"lmtrain tokenizer decode my-tokenizer < ids.txt"},
          .synonyms = {tokenizer_words()},
          .run = run_with(path, decode)};
}

}  // namespace

Command add_tokenizer(CLI::App& program) {
  CLI::App* const app =
      program.add_subcommand("tokenizer", "Train a tokenizer; turn text into ids and back");
  app->require_subcommand(1);
  return {.app = app,
          .examples = {"lmtrain tokenizer train my-tokenizer corpus/ --vocab-size 8192"},
          .parts = {add_train_part(app), add_encode_part(app), add_decode_part(app)}};
}

}  // namespace lmtrain

// config, prepare, tokenizer.
#include <iostream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/log.h"
#include "base/phase.h"
#include "base/text.h"
#include "data/documents.h"
#include "data/prepare.h"
#include "data/train_tokenizer.h"
#include "parallel/cores.h"
#include "trainer/commands/commands.h"
#include "trainer/config/config_document.h"
#include "trainer/config/load_config.h"
#include "trainer/start/run_data.h"

namespace lmtrain {
namespace {

constexpr int64_t kTrainerMemoryBytes = int64_t{8} << 30;

int num_threads() { return static_cast<int>(job_cores().size()); }

std::string read_standard_input() {
  std::ostringstream text;
  text << std::cin.rdbuf();
  return text.str();
}

}  // namespace

void command_config(const std::string& path, const std::vector<std::string>& overrides,
                    bool markdown) {
  if (markdown) {
    std::cout << config_markdown();
    return;
  }
  std::cout << print_config(load_config(path, overrides).config);
}

void command_prepare(const std::string& path, const std::vector<std::string>& overrides) {
  const LoadedConfig loaded = load_config(path, overrides);
  const PreparedData data = prepare_and_show(loaded.config, num_threads());
  std::cout << "tokenizer   " << data.tokenizer_path.string() << " (" << data.tokenizer.vocab_size()
            << " entries)\n"
            << "training    " << data.train.path().string() << " ("
            << with_commas(data.train.num_tokens()) << " tokens)\n";
  if (data.validation) {
    std::cout << "validation  " << data.validation->path().string() << " ("
              << with_commas(data.validation->num_tokens()) << " tokens)\n";
  }
}

void command_tokenizer_train(const TokenizerTrainArguments& arguments) {
  std::vector<SourceConfig> sources;
  for (const std::string& path : arguments.sources) sources.push_back({path, arguments.separator});
  if (arguments.cased && arguments.kind != TokenizerKind::kWordpiece)
    throw ConfigError("--cased is for --kind wordpiece; leave it out");
  DocumentReader reader(list_source_files(sources));
  TokenizerConfig config;
  config.kind = arguments.kind;
  config.vocab_size = arguments.vocab_size;
  config.lowercase = !arguments.cased;
  const Tokenizer tokenizer = train_tokenizer(
      reader, config, {.num_threads = num_threads(), .max_memory_bytes = kTrainerMemoryBytes},
      [](double fraction) {
        show_progress_line(cat("training tokenizer ", fixed(100 * fraction, 0), "%"));
      });
  show_progress_line("");
  make_folders(arguments.output);
  tokenizer.save(std::filesystem::path(arguments.output) / "tokenizer.json");
  std::cout << arguments.output << "/tokenizer.json (" << tokenizer.vocab_size() << " entries)\n";
}

void command_tokenizer_encode(const std::string& path, bool count) {
  const Tokenizer tokenizer = Tokenizer::load(path);
  const std::string text = read_standard_input();
  std::vector<int32_t> ids;
  if (count) {
    const double begin = monotonic_seconds();
    Tokenizer::Encoder(tokenizer).encode(text, ids);
    std::cout << nlohmann::json{{"bytes", text.size()},
                                {"ids", ids.size()},
                                {"seconds", monotonic_seconds() - begin}}
                     .dump()
              << "\n";
    return;
  }
  tokenizer.encode(text, ids);
  for (size_t i = 0; i < ids.size(); ++i) std::cout << (i == 0 ? "" : " ") << ids[i];
  std::cout << "\n";
}

void command_tokenizer_decode(const std::string& path) {
  const Tokenizer tokenizer = Tokenizer::load(path);
  std::istringstream input(read_standard_input());
  std::vector<int32_t> ids;
  for (std::string word; input >> word;) {
    size_t used = 0;
    int64_t id = -1;
    try {
      id = std::stoll(word, &used);
    } catch (const std::logic_error&) {
      used = 0;
    }
    if (used != word.size() || id < 0 || id >= tokenizer.vocab_size()) {
      throw DataError(
          cat("'", word, "' is no id of this tokenizer (0 to ", tokenizer.vocab_size() - 1, ")"));
    }
    ids.push_back(static_cast<int32_t>(id));
  }
  std::cout << tokenizer.decode(ids, /*with_special_tokens=*/true);
}

}  // namespace lmtrain

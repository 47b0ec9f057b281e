// The program's commands besides training, each for one process. All write their result to standard
// output and throw Error; trainer/main/lmtrain.cpp parses the command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/data_config.h"
#include "trainer/inference/generate.h"
#include "trainer/interchange/interchange.h"

namespace lmtrain {

void command_config(const std::string& path, const std::vector<std::string>& overrides,
                    bool markdown);
void command_prepare(const std::string& path, const std::vector<std::string>& overrides);
void command_generate(const std::string& checkpoint, const std::string& prompt,
                      const SamplingOptions& options);
// One JSON object: ids, tokens' log-probabilities given those before, their sum.
void command_score(const std::string& checkpoint, const std::string& text);
// One JSON object: what a head of labels says of a text, or of a pair where `pair` is not empty.
void command_predict(const std::string& checkpoint, const std::string& text,
                     const std::string& pair);
void command_inspect(const std::string& checkpoint, bool with_tensors);
void command_import(const std::string& folder, const std::string& out);
void command_export(const std::string& checkpoint, const std::string& out,
                    const ExportOptions& options);
// A table of the layouts that `num_ranks` ranks of a machine ("cpu": this node's cores) could take.
void command_layouts(const std::string& path, const std::vector<std::string>& overrides,
                     int64_t num_ranks, const std::string& machine, size_t most);
void command_report(const std::string& run_folder);
void command_doctor();

struct TokenizerTrainArguments {
  std::vector<std::string> sources;
  std::string separator;
  int64_t vocab_size = 4096;
  TokenizerKind kind = TokenizerKind::kBpe;
  bool cased = false;  // wordpiece: keeps case and accents
  std::string output;
};
void command_tokenizer_train(const TokenizerTrainArguments& arguments);
// Text from standard input to ids, or with `count` to their number and the seconds that encoding
// took, as JSON; ids from standard input to text.
void command_tokenizer_encode(const std::string& tokenizer, bool count);
void command_tokenizer_decode(const std::string& tokenizer);

// "lmtrain 0.1.0 (commit)" and the versions of the libraries, a line each.
std::string version_text();

}  // namespace lmtrain

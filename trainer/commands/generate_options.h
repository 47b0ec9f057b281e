// The options of `lmtrain generate`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/commands/command.h"
#include "trainer/commands/language_model.h"
#include "trainer/commands/result_lines.h"
#include "trainer/inference/generate.h"

namespace lmtrain {

struct GenerateOptions {
  std::string checkpoint;
  std::vector<std::string> prompts;
  std::string prompt_file;
  bool is_chat = false;  // each prompt is what a user says
  std::string system;    // what the system says before
  StartOptions start;
  SpecialTokens special_tokens = SpecialTokens::kAsText;
  ModelOptions model;
  DecodingOptions decoding;
  std::vector<std::string> stops;
  int64_t num_texts = 1;  // of each prompt
  int64_t batch_size = 8;
  int64_t max_length = 0;  // of prompt and text; 0: no such limit
  // Those that are not given are the model's own, else lmtrain's.
  SamplingDefaults sampling;
  std::vector<std::string> stop_tokens;
  std::vector<std::string> logit_bias;
  bool as_json = false;
  BeamOptions beams = {.num_beams = 1};
  EnergyOptions energy;
};

void add_generate_options(CLI::App* app, GenerateOptions& options);
std::vector<Synonyms> generate_words();

}  // namespace lmtrain

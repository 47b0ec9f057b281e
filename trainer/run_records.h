// What a run says of itself beside its metrics: provenance, samples of text, the lines at its end.
#pragma once

#include <string>
#include <vector>

#include "energy/report.h"
#include "energy/run_facts.h"
#include "models/decoder.h"
#include "parallel/launch.h"
#include "trainer/compute.h"
#include "trainer/config.h"
#include "trainer/run_data.h"
#include "trainer/run_folder.h"
#include "trainer/start_point.h"

namespace lmtrain {

// "2026-01-31T12:00:00Z"
std::string utc_now();

// Collective. provenance.json: commit, versions, hosts, cores, command line, and where this attempt
// began.
void write_provenance(const RunFolder& folder, const std::string& command_line,
                      const StartPoint& start, const RunData& data, const Compute& compute,
                      Launch& launch);

// Texts that the model writes after an end token, from seeds that follow config.run.seed.
std::vector<TextSample> sample_texts(const Decoder& model, const Tokenizer& tokenizer,
                                     const Config& config, at::Device device);

// Bits per byte of the bigram model of the training tokens on the validation samples.
double bigram_bits_per_byte(const RunData& data);

// The end of a run, on the terminal and in its log.
void log_summary(const RunFacts& facts, const EmissionsReport& report, const RunFolder& folder);

}  // namespace lmtrain

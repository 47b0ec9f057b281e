// What a run says of itself beside its metrics: provenance, samples of text, the lines at its end.
#pragma once

#include <string>
#include <vector>

#include "energy/report.h"
#include "energy/run_facts.h"
#include "models/model.h"
#include "parallel/compute.h"
#include "parallel/launch.h"
#include "trainer/checkpoint/start_point.h"
#include "trainer/config/config.h"
#include "trainer/config/run_folder.h"
#include "trainer/start/run_data.h"

namespace lmtrain {

// "2026-01-31T12:00:00Z"
std::string utc_now();

// Collective. provenance.json: commit, versions, hosts, cores, command line, and where this attempt
// began.
void write_provenance(const RunFolder& folder, const std::string& command_line,
                      const StartPoint& start, const RunData& data, const Compute& compute,
                      Launch& launch);

// What the model says, to look at: of a decoder, texts after an end token, from seeds that follow
// config.run.seed; of bert, validation text with its predictions of the masked tokens.
std::vector<TextSample> sample_texts(const Model& model, const RunData& data, const Config& config,
                                     at::Device device, Communicator* ranks);

// What the validation must beat, where there is one: bits per byte of the bigram model of the
// training tokens, or, for bert, the accuracy of always predicting their most frequent one.
void add_baseline(RunFacts& facts, const RunData& data, Objective objective);

// The end of a run, on the terminal and in its log.
void log_summary(const RunFacts& facts, const EmissionsReport& report, const RunFolder& folder);

}  // namespace lmtrain

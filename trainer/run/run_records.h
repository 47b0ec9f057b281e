// What a run records besides its metrics: provenance, samples of text, the summary at its end.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "energy/report/report.h"
#include "energy/report/run_facts.h"
#include "models/model.h"
#include "parallel/compute.h"
#include "parallel/launch.h"
#include "trainer/checkpoint/start_point.h"
#include "trainer/config/config.h"
#include "trainer/config/run_folder.h"
#include "trainer/run/metrics.h"
#include "trainer/start/job.h"
#include "trainer/start/run_data.h"
#include "trainer/step/trainer.h"

namespace lmtrain {

// Collective. Writes provenance.json: commit, versions, hosts, cores, command line, and the
// checkpoint from which this attempt continued.
void write_provenance(const RunFolder& folder, const std::string& command_line,
                      const StartPoint& start, const RunData& data, const Compute& compute,
                      Launch& launch);

// A task of config.eval.tasks on the model as it is. `ranks` as below. `pause` is called after each
// item, and may throw.
TaskMetrics evaluate_on(const TaskConfig& task, const Model& model, const Job& job,
                        Communicator* ranks, const std::function<void()>& pause);

// Samples for the reader of the report. A decoder writes texts that go on from config.eval.prompts,
// or from the start token, with seeds counted from config.run.seed; bert shows validation text with
// its predictions of the masked tokens. `ranks` are those that compute the model together, null
// where rank 0 does alone. `pause` is called before each token, and may throw.
std::vector<TextSample> sample_texts(const Model& model, const RunData& data, const Config& config,
                                     at::Device device, Communicator* ranks,
                                     const std::function<void()>& pause);

// The mean loss of the samples of each source; empty where there are not several.
std::vector<SourceLoss> losses_by_source(const std::vector<EvaluatedSample>& samples,
                                         const std::vector<SourceTokens>& sources);

// Adds the baseline that the validation must beat, if there is a validation: the bits per byte of a
// bigram model of the training tokens or, for encoders, the accuracy of always predicting the most
// frequent token. `pause` is called now and then, and may throw.
void add_baseline(RunFacts& facts, const RunData& data, Objective objective,
                  const std::function<void()>& pause);

// Logs the result of a finished run.
void log_summary(const RunFacts& facts, const EmissionsReport& report, const RunFolder& folder);

}  // namespace lmtrain

#include "trainer/run/run_records.h"

#include <cmath>
#include <numeric>

#include <nlohmann/json.hpp>

#include "base/batch_job.h"
#include "base/build_info.h"
#include "base/clock.h"
#include "base/durable_file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "base/utf8.h"
#include "data/bigram.h"
#include "data/most_frequent_token.h"
#include "energy/amount_text.h"
#include "energy/ledger/ledger_json.h"
#include "models/cpu_capability.h"
#include "models/decoder.h"
#include "models/encoder.h"
#include "trainer/evaluation/tasks.h"
#include "trainer/inference/engine.h"
#include "trainer/inference/masked_predictions.h"

namespace lmtrain {
namespace {

using nlohmann::json;

// The last validation beside its baseline.
std::string what_it_means(const RunFacts& facts) {
  std::string text;
  if (facts.bits_per_byte) {
    text += cat(", bits per byte ", fixed(*facts.bits_per_byte, 3));
    if (facts.bigram_bits_per_byte)
      text += cat(", bigram model ", fixed(*facts.bigram_bits_per_byte, 3));
  }
  if (facts.masked_accuracy) {
    text += cat(", masked tokens predicted ", fixed(100 * *facts.masked_accuracy, 1),
                "%, by the most frequent token ",
                fixed(100 * facts.most_frequent_accuracy.value_or(0), 1), "%");
  }
  if (facts.sentence_accuracy)
    text += cat(", pairs told apart ", fixed(100 * *facts.sentence_accuracy, 1), "%");
  return text;
}

}  // namespace

void write_provenance(const RunFolder& folder, const std::string& command_line,
                      const StartPoint& start, const RunData& data, const Compute& compute,
                      Launch& launch) {
  const json mine = {{"rank", launch.rank()},
                     {"host", launch.host()},
                     {"cores", compute.cores},
                     {"threads", compute.num_threads},
                     {"device", compute.device.description}};
  json ranks = json::array();
  for (const std::string& rank : gather_texts(launch.world(), mine.dump()))
    ranks.push_back(json::parse(rank));
  if (launch.rank() != 0) return;
  const std::optional<BatchJob> job = batch_job();
  const json provenance = {{"version", version()},
                           {"commit", commit()},
                           {"build", build_description()},
                           {"mpi", Launch::library_version()},
                           {"cpu_capability", cpu_capability()},
                           {"command_line", command_line},
                           {"started", utc_now()},
                           {"resumed_from", start.checkpoint.string()},
                           {"tokenizer_hash", hex16(data.tokenizer.hash())},
                           {"data_fingerprint", hex16(data.fingerprint)},
                           {"job", job ? job_to_json(*job) : json()},
                           {"ranks", ranks}};
  write_file_durably(folder.provenance(), provenance.dump(1) + "\n");
}

namespace {

// Any of which ends a text.
std::vector<int32_t> end_tokens_of(const RunData& data) {
  std::vector<int32_t> ends = {data.tokenizer.end_of_text()};
  if (data.answer_end) ends.push_back(*data.answer_end);
  return ends;
}

}  // namespace

TaskMetrics evaluate_on(const TaskConfig& task, const Model& model, const Job& job,
                        Communicator* ranks, const std::function<void()>& pause) {
  const Tokenizer& tokenizer = job.data.tokenizer;
  const TaskResult result =
      evaluate_task({.model = model,
                     .tokenizer = tokenizer,
                     .start_token = job.data.start_token,
                     .end_tokens = end_tokens_of(job.data),
                     .device = job.compute.device.device,
                     .ranks = ranks},
                    task, [&](size_t, size_t, const nlohmann::ordered_json&) { pause(); });
  return {task.shown_name(), result.measure, result.value, result.lower_is_better, result.numbers};
}

namespace {

// What the model answers to instructions of the validation, each up to its first answer, as the
// likeliest tokens have it.
std::vector<TextSample> sample_answers(Engine& engine, const RunData& data, const Config& config,
                                       const std::function<void()>& pause) {
  std::vector<TextSample> samples;
  if (!data.labelled->validation) return samples;
  const ExampleFile& examples = *data.labelled->validation;
  const Tokenizer& tokenizer = data.tokenizer;
  DecodingOptions options;
  options.temperature = 0.0;
  options.max_new_tokens = config.eval.sample_tokens;
  options.end_tokens = end_tokens_of(data);
  const int64_t count = std::min(config.eval.samples, examples.size());
  for (int64_t i = 0; i < count; ++i) {
    const Example example = examples.at(i);
    const auto learned = std::find(example.labels.begin() + 1, example.labels.end(), 1);
    const auto answer = example.ids.begin() + (learned - example.labels.begin());
    const auto length = std::find(learned, example.labels.end(), 0) - learned;
    const std::vector<int32_t> before(example.ids.begin(), answer);
    const std::vector<int32_t> right(answer, answer + length);
    const std::vector<int32_t> tokens = generate_tokens(engine, before, options, pause);
    samples.push_back({shown_as_utf8(tokenizer.decode(before, /*with_special_tokens=*/true)),
                       cat(shown_as_utf8(tokenizer.decode(tokens)),
                           "\n(right: ", shown_as_utf8(tokenizer.decode(right)), ")")});
  }
  return samples;
}

}  // namespace

std::vector<TextSample> sample_texts(const Model& model, const RunData& data, const Config& config,
                                     at::Device device, Communicator* ranks,
                                     const std::function<void()>& pause) {
  std::vector<TextSample> samples;
  const Tokenizer& tokenizer = data.tokenizer;
  if (const auto* const encoder = dynamic_cast<const Encoder*>(&model)) {
    const int64_t count = std::min(config.eval.samples, data.num_validation_samples);
    for (int64_t i = 0; i < count; ++i) {
      pause();
      const Batch batch = data.validation->load(std::span<const int64_t>(&i, 1));
      samples.push_back({"", show_predictions(*encoder, batch, tokenizer, device)});
    }
    return samples;
  }
  const auto start = data.start_token;
  Engine engine(dynamic_cast<const Decoder&>(model),
                {.num_tokens = tokenizer.vocab_size(), .ranks = ranks});
  if (data.labelled) return sample_answers(engine, data, config, pause);
  for (int64_t i = 0; i < config.eval.samples; ++i) {
    DecodingOptions options;
    options.max_new_tokens = config.eval.sample_tokens;
    options.end_tokens = end_tokens_of(data);
    options.seed = static_cast<uint64_t>(config.run.seed + i);
    const std::vector<std::string>& prompts = config.eval.prompts;
    const std::string prompt =
        prompts.empty() ? "" : prompts[static_cast<size_t>(i) % prompts.size()];
    std::vector<int32_t> before = {start};
    tokenizer.encode(prompt, before);
    const std::vector<int32_t> tokens = generate_tokens(engine, before, options, pause);
    samples.push_back({prompt, shown_as_utf8(tokenizer.decode(tokens))});
  }
  return samples;
}

std::vector<SourceLoss> losses_by_source(const std::vector<EvaluatedSample>& samples,
                                         const std::vector<SourceTokens>& sources) {
  std::vector<SourceLoss> losses;
  if (sources.size() < 2) return losses;
  int64_t begin = 0;
  for (const SourceTokens& source : sources) {
    double sum = 0;
    int64_t targets = 0;
    for (const EvaluatedSample& sample : samples) {
      if (sample.place < begin || sample.place >= source.end) continue;
      sum += sample.loss;
      targets += sample.targets;
    }
    if (targets > 0) losses.push_back({source.path, sum / static_cast<double>(targets)});
    begin = source.end;
  }
  return losses;
}

void add_baseline(RunFacts& facts, const RunData& data, Objective objective,
                  const std::function<void()>& pause) {
  if (data.num_validation_samples == 0) return;
  std::vector<int64_t> samples(static_cast<size_t>(data.num_validation_samples));
  std::iota(samples.begin(), samples.end(), 0);
  if (objective == Objective::kMaskedTokens) {
    facts.most_frequent_accuracy = most_frequent_token_accuracy(data.text->train, data.tokenizer,
                                                                *data.validation, samples, pause);
    return;
  }
  facts.bigram_bits_per_byte =
      BigramModel::fit(data.text->train, pause)
          .score(*data.validation, samples, TargetBytes(data.tokenizer), pause)
          .bits_per_byte;
}

void log_summary(const RunFacts& facts, const EmissionsReport& report, const RunFolder& folder) {
  for (const TextSample& sample : facts.samples) log_info(cat("sample:\n", sample.text));
  if (facts.last_validation_loss) {
    log_info(cat("validation loss ", fixed(*facts.first_validation_loss, 4), " -> ",
                 fixed(*facts.last_validation_loss, 4), what_it_means(facts)));
  }
  log_info(cat(with_commas(std::llround(facts.tokens_per_second.value_or(0))), " tokens/s over ",
               human_duration(facts.seconds), ", energy ", energy_range_text(report.energy),
               ", emissions ", emissions_text(report.cost.emissions.grams), " CO2e"));
  for (const SharedNode& node : report.shared_nodes) {
    log_info(cat("node ", node.host, " worked for others too: of its ",
                 energy_text(node.node_joules), " this run is given ", energy_text(node.joules),
                 " by its ", fixed(100 * node.share.cpu, 1), "% of the CPU time and ",
                 fixed(100 * node.share.memory, 1), "% of the memory"));
  }
  for (const std::string& doubt : report.doubts) log_warn(cat("energy: ", doubt));
  log_info(cat("report: ", folder.report().string()));
}

}  // namespace lmtrain
